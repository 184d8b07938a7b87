/** What unfinished uploads to `rt registry serve` may take of the disk, who sees it, and how it is got back. */
import { Database } from "bun:sqlite";
import { expect } from "bun:test";
import { existsSync, mkdirSync, readdirSync, statfsSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "../../src/oci/digest.ts";
import { run as tool } from "../support/command.ts";
import { type TestHost, testHost } from "../support/host.ts";
import { pushBlob, pushImage } from "../support/registry-push.ts";
import { needs } from "../support/root.ts";
import { type Served, serveRegistry } from "../support/served.ts";
import { until } from "../support/wait.ts";
import { fileLayer, imageOf } from "./image-world.ts";

const { test } = needs({ root: true });
const MiB = 2 ** 20;

/** The host's store is a file system of its own. */
async function smallDisk(host: TestHost, size: string): Promise<AsyncDisposable> {
  mkdirSync(host.root, { recursive: true, mode: 0o700 });
  await tool(["mount", "-t", "tmpfs", "-o", `size=${size},mode=700`, "small", host.root]);
  return { [Symbol.asyncDispose]: async () => void (await tool(["umount", host.root])) };
}

async function begin(served: Served, headers: Record<string, string> = {}): Promise<string> {
  const answer = await fetch(`${served.url}/v2/a/b/blobs/uploads/`, { method: "POST", headers });
  expect(answer.status).toBe(202);
  return served.url + answer.headers.get("location")!;
}

const patch = (
  url: string,
  body: Uint8Array | ReadableStream<Uint8Array>,
  headers: Record<string, string> = {},
) => fetch(url, { method: "PATCH", body, headers });

/** In chunks, so that nobody knows before how many. @param end once they have come */
function inChunks(count: number, end?: Promise<void>): ReadableStream<Uint8Array> {
  let left = count;
  return new ReadableStream({
    async pull(controller) {
      if (left-- > 0) return controller.enqueue(new Uint8Array(MiB));
      await end;
      controller.close();
    },
  });
}

test("one client's take half of the free disk at most, all of them three quarters; cancelled, the room is there", async () => {
  await using host = await testHost();
  await using _disk = await smallDisk(host, "40m");
  await using served = await serveRegistry(host, ["-q"]);
  const first = await begin(served);
  expect((await patch(first, new Uint8Array(12 * MiB))).status).toBe(202);
  const second = await begin(served);
  // What is said to come is refused before it does, and what nobody has announced when it has.
  for (const body of [new Uint8Array(12 * MiB), inChunks(12)]) {
    const refused = await patch(second, body);
    expect([refused.status, await refused.text()]).toEqual([
      429,
      expect.stringContaining('"code":"TOOMANYREQUESTS","message":"uploads of yours'),
    ]);
  }
  const { bavail, bsize } = statfsSync(host.root);
  expect(bavail * bsize).toBeGreaterThan(15 * MiB);
  const other = await serveRegistry(host, ["-q"]);
  expect((await fetch(second, { method: "DELETE" })).status).toBe(204);
  // Of another server of the same store it is the same room.
  const third = await patch(other.url + new URL(await begin(other)).pathname, new Uint8Array(12 * MiB));
  expect(third.status).toBe(429);
  await other[Symbol.asyncDispose]();
  expect((await fetch(first, { method: "DELETE" })).status).toBe(204);
  expect((await patch(await begin(served), inChunks(12))).status).toBe(202);
});

test("what a killed server had taken room for, and did not write, is free again", async () => {
  await using host = await testHost();
  await using _disk = await smallDisk(host, "40m");
  {
    await using served = await serveRegistry(host, ["-q"]);
    const url = await begin(served);
    const end = Promise.withResolvers<void>();
    const cut = patch(url, inChunks(7, end.promise)).catch(() => undefined);
    await until("all of it has come", () =>
      uploadsOf(host).some((id) => statSync(join(host.root, "content/uploads", id)).size === 7 * MiB),
    );
    served.process.kill("SIGKILL");
    end.resolve();
    await cut;
    await served.process.exited;
  }
  const claimed = () => {
    using database = new Database(join(host.root, "db.sqlite"));
    return database.query("SELECT bytes FROM repository_uploads").get() as { bytes: number };
  };
  expect(claimed().bytes).toBeGreaterThanOrEqual(7 * MiB);
  await using _ = await serveRegistry(host, ["-q"]);
  expect(claimed().bytes).toBe(7 * MiB);
});

function uploadsOf(host: TestHost): string[] {
  const directory = join(host.root, "content/uploads");
  return existsSync(directory) ? readdirSync(directory) : [];
}

test("df shows unfinished uploads, and prune -a takes those that nobody has gone on with for minutes", async () => {
  await using host = await testHost();
  await using served = await serveRegistry(host, ["-q"]);
  const [old, young] = [await begin(served), await begin(served)];
  for (const url of [old, young]) await patch(url, new Uint8Array(3 * MiB));
  const id = old.slice(old.lastIndexOf("/") + 1);
  const hourAgo = Date.now() / 1000 - 3600;
  utimesSync(join(host.root, "content/uploads", id), hourAgo, hourAgo);
  const cache = async () => {
    const lines = await host.ok([
      "system",
      "df",
      "--format",
      "{{.Type}} {{.TotalCount}} {{.Size}} {{.Reclaimable}}",
    ]);
    return /^Build Cache (.*)$/m.exec(lines)?.[1];
  };
  expect(await cache()).toBe("2 6.291MB 3.146MB (50%)");
  await host.ok(["system", "prune", "-f"]);
  expect(uploadsOf(host)).toHaveLength(2);
  expect(await host.ok(["system", "prune", "-af"])).toContain("Total reclaimed space: 3.146MB");
  expect(uploadsOf(host)).toEqual([young.slice(young.lastIndexOf("/") + 1)]);
  expect((await fetch(old)).status).toBe(404);
  expect(await cache()).toBe("1 3.146MB 0B (0%)");
});

test("on a full disk: what is here can be had, uploads and images can be deleted, and then there is room", async () => {
  await using host = await testHost();
  await using _disk = await smallDisk(host, "24m");
  await using served = await serveRegistry(host, ["-q"]);
  const layer = fileLayer("x", 6 * MiB);
  await pushImage(served, "team/app", "1", imageOf([layer]));
  const blob = fileLayer("alone", MiB);
  await pushBlob(served, "team/app", blob);
  const upload = await begin(served);
  expect((await patch(upload, new Uint8Array(2 * MiB))).status).toBe(202);
  await tool(["sh", "-c", `dd if=/dev/zero of='${host.root}/filler' bs=4k 2>/dev/null; true`]);
  expect((await fetch(`${served.url}/v2/team/app/manifests/1`)).status).toBe(200);
  expect((await fetch(`${served.url}/v2/team/app/blobs/${digestOf(layer)}`)).status).toBe(200);
  const refused = await fetch(`${served.url}/v2/a/b/blobs/uploads/?digest=${digestOf(layer)}`, {
    method: "POST",
    body: layer,
  });
  expect([429, 507]).toContain(refused.status);
  const remove = (path: string) =>
    fetch(served.url + path, { method: "DELETE" }).then(({ status }) => status);
  expect(await remove(`/v2/team/app/manifests/1`)).toBe(202);
  expect(await remove(`/v2/team/app/blobs/${digestOf(blob)}`)).toBe(202);
  expect((await fetch(upload, { method: "DELETE" })).status).toBe(204);
  await until("there is room", () => statfsSync(host.root).bavail * statfsSync(host.root).bsize > 2 * MiB);
  await pushBlob(served, "a/b", fileLayer("y", 1000));
});
