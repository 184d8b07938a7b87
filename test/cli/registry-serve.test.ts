/** `rt registry serve`: what others see of the images here, and what becomes of what they push. */
import { expect } from "bun:test";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/media-types.ts";
import { run } from "../support/command.ts";
import { type TestHost, testHost } from "../support/host.ts";
import { busyboxLayout } from "../support/images.ts";
import { pushBlob, pushImage } from "../support/registry-push.ts";
import { needs } from "../support/root.ts";
import { type Served, serveRegistry } from "../support/served.ts";
import { until } from "../support/wait.ts";
import { contentOf, fileLayer, imageOf } from "./image-world.ts";
import { oneLine } from "./world.ts";

const { test } = needs({ root: true });
const withSkopeo = needs({ root: true, tools: ["skopeo", "busybox"] });

async function json(response: Promise<Response>): Promise<unknown> {
  return (await response).json();
}

async function codeOf(response: Response): Promise<string> {
  return ((await response.json()) as { errors: { code: string }[] }).errors[0]!.code;
}

/** Bytes that are sent as they are, and what comes back until the connection ends or `pattern` was there. */
function raw(served: Served, bytes: string | Uint8Array, pattern = /\r\n\r\n/): Promise<string> {
  const port = Number(served.address.split(":")[1]);
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    socket.on("data", (data) => {
      text += data.toString("latin1");
      if (pattern.test(text)) socket.destroy();
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(text));
  });
}

withSkopeo.test("what skopeo pushes is an image here, runs, and has its digest at another host", async () => {
  await using host = await testHost();
  await using served = await serveRegistry(host);
  const skopeo = ["skopeo", "--insecure-policy", "copy", "--quiet"];
  const source = `oci:${await busyboxLayout()}`;
  await run([...skopeo, "--dest-tls-verify=false", source, `docker://${served.address}/team/web:1`]);
  expect(await host.ok(["images", "--format", "{{.Repository}}:{{.Tag}} {{.Size}}"])).toBe("team/web:1 0B\n");
  const hi = ["run", "--rm", "--network", "none", "team/web:1", "busybox", "echo", "hi"];
  expect(await host.ok(hi)).toBe("hi\n");
  expect(await host.ok(["images", "--format", "{{.Size}}"])).toMatch(/MB\n$/);

  await run([
    ...skopeo,
    "--src-tls-verify=false",
    `docker://${served.address}/team/web:1`,
    `dir:${host.dir}/copy`,
  ]);
  const digest = digestOf(await Bun.file(join(host.dir, "copy/manifest.json")).bytes());
  await using other = await testHost();
  expect(await other.ok(["pull", `${served.address}/team/web:1`])).toContain(`Digest: ${digest}\n`);
});

test("what is here has the name that it has here, whole indexes too", async () => {
  await using host = await testHost();
  await using served = await serveRegistry(host);
  await host.ok(["pull", "-q", "embed:hello"]);
  const hello = (await host.ok(["inspect", "-f", "{{.Id}}", "embed:hello"])).trim();
  const answer = await fetch(`${served.url}/v2/library/embed/manifests/hello`);
  const manifest = (await answer.json()) as { config: { digest: string }; layers: { digest: string }[] };
  expect(manifest.config.digest).toBe(hello);
  for (const { digest } of [manifest.config, ...manifest.layers]) {
    const blob = await fetch(`${served.url}/v2/embed/blobs/${digest}`);
    expect(digestOf(await blob.bytes())).toBe(digest as never);
  }
  expect(await json(fetch(`${served.url}/v2/_catalog`))).toEqual({ repositories: ["library/embed"] });
  expect(await json(fetch(`${served.url}/v2/embed/tags/list`))).toEqual({ name: "embed", tags: ["hello"] });
});

test("an index with an image for this machine is one here; other platforms and artifacts are kept", async () => {
  await using host = await testHost();
  await using served = await serveRegistry(host);
  const own = imageOf([fileLayer("a", 100)]);
  const foreign = imageOf([fileLayer("b", 100)]);
  const config = Buffer.from(
    JSON.stringify({ os: "linux", architecture: "s390x", rootfs: { type: "layers", diff_ids: [] } }),
  );
  const describe = (bytes: Uint8Array, mediaType: string) => ({
    mediaType,
    digest: digestOf(bytes),
    size: bytes.length,
  });
  const other = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: describe(config, mediaTypes.ociConfig),
      layers: [],
    }),
  );
  const ownManifest = own.documents.at(-1)!;
  const index = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: [
        {
          ...describe(ownManifest.bytes, ownManifest.mediaType),
          platform: { os: "linux", architecture: process.arch === "x64" ? "amd64" : "arm64" },
        },
        { ...describe(other, mediaTypes.ociManifest), platform: { os: "linux", architecture: "s390x" } },
      ],
    }),
  );
  const all = {
    ...own,
    blobs: [...own.blobs, config],
    documents: [
      ownManifest,
      { bytes: other, mediaType: mediaTypes.ociManifest },
      { bytes: index, mediaType: mediaTypes.ociIndex },
    ],
  };
  await pushImage(served, "team/all", "1", all);
  await pushImage(served, "team/other", "1", {
    ...foreign,
    blobs: [config],
    documents: [{ bytes: other, mediaType: mediaTypes.ociManifest }],
  });
  expect(await host.ok(["images", "--format", "{{.Repository}}"])).toBe("team/all\n");
  const head = await fetch(`${served.url}/v2/team/other/manifests/1`, { method: "HEAD" });
  expect(head.headers.get("docker-content-digest")).toBe(digestOf(other));
  expect(head.headers.get("content-length")).toBe(String(other.length));
  const got = await fetch(`${served.url}/v2/team/all/manifests/1`);
  expect(Buffer.from(await got.bytes()).equals(index)).toBe(true);
  // A client that knows no index is given the image for linux/amd64.
  const old = await fetch(`${served.url}/v2/team/all/manifests/1`, {
    headers: { Accept: mediaTypes.dockerManifest },
  });
  expect(old.headers.get("content-type")).toBe(
    process.arch === "x64" ? ownManifest.mediaType : mediaTypes.ociIndex,
  );

  // What goes with the image goes with it, and what another repository has of it stays.
  await host.ok(["rmi", "team/all:1"]);
  expect((await fetch(`${served.url}/v2/team/all/manifests/1`)).status).toBe(404);
  expect((await fetch(`${served.url}/v2/team/all/manifests/${digestOf(other)}`)).status).toBe(404);
  expect((await fetch(`${served.url}/v2/team/other/manifests/1`)).status).toBe(200);
});

test("an upload goes on after a cut, and after the server was killed", async () => {
  await using host = await testHost();
  const blob = crypto.getRandomValues(new Uint8Array(300_000).subarray(0, 65_536));
  const whole = Buffer.concat([blob, blob, blob, blob]);
  const digest = digestOf(whole);
  let location = "";
  {
    await using served = await serveRegistry(host);
    const started = await fetch(`${served.url}/v2/team/web/blobs/uploads/`, { method: "POST" });
    location = started.headers.get("location")!;
    const head = `PATCH ${location} HTTP/1.1\r\nHost: ${served.address}\r\nContent-Length: ${whole.length}\r\n\r\n`;
    const port = Number(served.address.split(":")[1]);
    const socket = connect(port, "127.0.0.1", () =>
      socket.write(Buffer.concat([Buffer.from(head), whole.subarray(0, 100_000)])),
    );
    socket.on("error", () => {});
    await until("the first bytes are here", async () => {
      const { headers } = await fetch(served.url + location);
      return headers.get("range") === "0-99999";
    });
    socket.destroy();
    const part = {
      method: "PATCH",
      headers: { "Content-Range": "100000-149999" },
      body: whole.subarray(100_000, 150_000),
    };
    expect((await fetch(served.url + location, part)).status).toBe(202);
    // Not where it ended, and another repository's.
    expect((await fetch(served.url + location, part)).status).toBe(416);
    expect((await fetch(`${served.url}${location.replace("team/web", "team/other")}`)).status).toBe(404);
    served.process.kill("SIGKILL");
    await served.process.exited;
  }
  await using served = await serveRegistry(host);
  const status = await fetch(served.url + location);
  expect(status.headers.get("range")).toBe("0-149999");
  expect((await fetch(`${served.url}/v2/team/web/blobs/${digest}`)).status).toBe(404);
  const rest = await fetch(`${served.url}${location}?digest=${digest}`, {
    method: "PUT",
    body: whole.subarray(150_000),
  });
  expect(rest.status).toBe(201);
  const got = await fetch(`${served.url}/v2/team/web/blobs/${digest}`);
  expect(Buffer.from(await got.bytes()).equals(whole)).toBe(true);
  expect(readdirSync(join(host.root, "content/uploads"))).toEqual([]);
});

test("an address that another has is not shared with it: one line", async () => {
  await using host = await testHost();
  await using served = await serveRegistry(host);
  await using second = host.spawn(["registry", "serve", "--listen", served.address]);
  expect(await second.exited).toBe(125);
  expect(oneLine(second.stderr.text)).toContain(`cannot listen on ${served.address}`);
  expect(second.stdout.text).toBe("");
});

test("a blob that is not what it is called is never there, and one of another repository neither", async () => {
  await using host = await testHost();
  await using served = await serveRegistry(host);
  const digest = digestOf("right");
  const post = (body: string, name = "a/b") =>
    fetch(`${served.url}/v2/${name}/blobs/uploads/?digest=${digest}`, { method: "POST", body });
  const wrong = await post("wrong");
  expect([wrong.status, await codeOf(wrong)]).toEqual([400, "DIGEST_INVALID"]);
  expect(contentOf(host)).toEqual([]);
  expect((await post("right")).status).toBe(201);
  expect((await fetch(`${served.url}/v2/a/b/blobs/${digest}`)).status).toBe(200);
  expect((await fetch(`${served.url}/v2/c/d/blobs/${digest}`)).status).toBe(404);
  // A manifest of the other one cannot name it before it was mounted there.
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: "application/vnd.x", digest, size: 5 },
    layers: [],
  });
  const put = () =>
    fetch(`${served.url}/v2/c/d/manifests/1`, {
      method: "PUT",
      headers: { "Content-Type": mediaTypes.ociManifest },
      body: manifest,
    });
  const early = await put();
  expect([early.status, await codeOf(early)]).toEqual([404, "MANIFEST_BLOB_UNKNOWN"]);
  const mount = `${served.url}/v2/c/d/blobs/uploads/?mount=${digest}&from=a/b`;
  expect((await fetch(mount, { method: "POST" })).status).toBe(201);
  expect((await put()).status).toBe(201);
  const named = await fetch(`${served.url}/v2/c/d/blobs/${digest}`, { method: "DELETE" });
  expect([named.status, await codeOf(named)]).toEqual([405, "UNSUPPORTED"]);
});

test("what is deleted goes, and what an image or a container needs stays", async () => {
  await using host = await testHost();
  await using served = await serveRegistry(host);
  const image = imageOf([fileLayer("x", 1000)]);
  const digest = await pushImage(served, "team/web", "1", image);
  await pushImage(served, "team/copy", "1", image);
  const remove = (path: string) => fetch(`${served.url}/v2/${path}`, { method: "DELETE" });
  expect((await remove(`team/web/manifests/${digest}`)).status).toBe(202);
  expect((await fetch(`${served.url}/v2/team/web/manifests/1`)).status).toBe(404);
  expect((await fetch(`${served.url}/v2/team/copy/manifests/1`)).status).toBe(200);
  expect(await host.ok(["images", "--format", "{{.Repository}}"])).toBe("team/copy\n");
  await host.ok(["create", "--name", "user", "--network", "none", "team/copy:1", "/x"]);
  expect((await remove(`team/copy/manifests/${digest}`)).status).toBe(202);
  // A container has it: it stays, without a name.
  expect(await host.ok(["images", "-a", "--format", "{{.Repository}}"])).toBe("<none>\n");
  await host.ok(["start", "user"]).catch(() => {});
  await host.ok(["rm", "-f", "user"]);
  await host.ok(["image", "prune", "-f"]);
  // Blobs that nothing names any more wait for a day; a deleted one goes at once.
  const blob = digestOf("lonely");
  await pushBlob(served, "team/web", Buffer.from("lonely"));
  expect(contentOf(host)).toContain(`blobs/${blob.slice(7)}`);
  expect((await remove(`team/web/blobs/${blob}`)).status).toBe(202);
  await until("it is gone", () => !contentOf(host).includes(`blobs/${blob.slice(7)}`));
});

test("ranges, tags of bytes and pages are as HTTP and the specification have them", async () => {
  await using host = await testHost();
  await using served = await serveRegistry(host);
  const image = imageOf([fileLayer("x", 1000)]);
  for (const tag of ["a", "b", "c"]) await pushImage(served, "team/web", tag, image);
  const [config] = image.blobs;
  const blob = `${served.url}/v2/team/web/blobs/${digestOf(config!)}`;
  const ask = (headers: Record<string, string>, method = "GET") => fetch(blob, { method, headers });
  const part = await ask({ Range: "bytes=2-5" });
  expect([part.status, part.headers.get("content-range")]).toEqual([206, `bytes 2-5/${config!.length}`]);
  expect(await part.text()).toBe(Buffer.from(config!).toString().slice(2, 6));
  expect(await (await ask({ Range: "bytes=-3" })).text()).toBe(Buffer.from(config!).toString().slice(-3));
  expect(await (await ask({ Range: "bytes=5-" })).text()).toBe(Buffer.from(config!).toString().slice(5));
  const beyond = await ask({ Range: "bytes=999999-" });
  expect([beyond.status, beyond.headers.get("content-range")]).toEqual([416, `bytes */${config!.length}`]);
  for (const odd of ["bytes=5-2", "bytes=0-1,3-4", "lines=1-2", "bytes=", "bytes=a-b", "bytes=-"])
    expect((await ask({ Range: odd })).status).toBe(200);
  const head = await ask({}, "HEAD");
  expect([head.headers.get("content-length"), head.headers.get("accept-ranges")]).toEqual([
    String(config!.length),
    "bytes",
  ]);
  expect((await ask({ "If-None-Match": head.headers.get("etag")! })).status).toBe(304);

  const first = await fetch(`${served.url}/v2/team/web/tags/list?n=2`);
  expect(await first.json()).toEqual({ name: "team/web", tags: ["a", "b"] });
  const next = /^<([^>]+)>; rel="next"$/.exec(first.headers.get("link") ?? "")?.[1];
  const second = await fetch(new URL(next!, served.url));
  expect(await second.json()).toEqual({ name: "team/web", tags: ["c"] });
  expect(second.headers.get("link")).toBeNull();
  expect(await json(fetch(`${served.url}/v2/team/web/tags/list?n=0`))).toEqual({
    name: "team/web",
    tags: [],
  });
  expect((await fetch(`${served.url}/v2/team/none/tags/list`)).status).toBe(404);
});

test("users: bcrypt alone, read again when the file changes; a wrong password is nobody", async () => {
  await using host = await testHost();
  const file = join(host.dir, "users");
  const hash = (password: string) =>
    Bun.password.hashSync(password, { algorithm: "bcrypt", cost: 4 }).replace("$2b$", "$2y$");
  writeFileSync(file, `ann:${hash("secret")}\n`);
  await using served = await serveRegistry(host, ["--htpasswd", file]);
  const status = async (credentials?: string) => {
    const headers = credentials ? { Authorization: `Basic ${btoa(credentials)}` } : {};
    return (await fetch(`${served.url}/v2/`, { headers })).status;
  };
  const refused = await fetch(`${served.url}/v2/`);
  expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([401, 'Basic realm="rt"']);
  for (const nobody of ["ann:wrong", "bob:secret", "ann:", ":secret", "ann", "ann:secret\0"])
    expect(await status(nobody)).toBe(401);
  expect(await status("ann:secret")).toBe(200);
  expect(await status("ann:secret")).toBe(200);
  writeFileSync(file, `bob:${hash("other word")}\n`);
  expect([await status("ann:secret"), await status("bob:other word")]).toEqual([401, 200]);
  // One that is no file of users any more changes nothing.
  writeFileSync(file, "bob:{SHA}nonsense=\n");
  expect(await status("bob:other word")).toBe(200);
  expect(served.process.stderr.text).not.toMatch(/secret|other word|Basic/);
  const wrong = await host.rt(["registry", "serve", "--listen", "127.0.0.1:0", "--htpasswd", file]);
  expect([wrong.code, oneLine(wrong.stderr)]).toEqual([
    125,
    expect.stringContaining("make it with htpasswd -B"),
  ]);
});

test("beyond this machine it wants TLS; read-only takes nothing; a browser's page may not ask", async () => {
  await using host = await testHost();
  for (const where of [":0", "0.0.0.0:0", "[::]:0"]) {
    const refused = await host.rt(["registry", "serve", "--listen", where]);
    expect([refused.code, oneLine(refused.stderr)]).toEqual([125, expect.stringContaining("--insecure")]);
  }
  await using served = await serveRegistry(host, ["--read-only"]);
  for (const [method, path] of [
    ["POST", "a/b/blobs/uploads/"],
    ["PUT", "a/b/manifests/1"],
    ["DELETE", "a/b/manifests/1"],
  ])
    expect((await fetch(`${served.url}/v2/${path}`, { method: method! })).status).toBe(405);
  const ask = async (headers: Record<string, string>) =>
    (await fetch(`${served.url}/v2/`, { headers })).status;
  expect(await ask({ Origin: "https://evil.example" })).toBe(403);
  expect(await ask({ "Sec-Fetch-Site": "cross-site" })).toBe(403);
  expect(await raw(served, "GET /v2/ HTTP/1.1\r\nHost: evil.example:5000\r\n\r\n")).toContain(" 403 ");
  expect(await ask({})).toBe(200);
});

test("it survives what is no request, and stays at the service of others", async () => {
  await using host = await testHost();
  await using served = await serveRegistry(host);
  const end = `HTTP/1.1\r\nHost: ${served.address}\r\n`;
  const lines: [string | Uint8Array, RegExp][] = [
    [`GET /v2/..%2f..%2fetc/passwd/manifests/x ${end}\r\n`, / 404 /],
    [`GET /v2/%2e%2e/%2e%2e/etc/blobs/x ${end}\r\n`, / 404 /],
    [`GET /v2/a%00b/manifests/x ${end}\r\n`, / 404 /],
    [`GET /v2/a/%zz/manifests/x ${end}\r\n`, / 404 /],
    [`PUT /v2/A_B/../UP/manifests/x ${end}Content-Length: 2\r\n\r\n{}`, / 400 /],
    [`PATCH /v2/a/b/blobs/uploads/..%2f..%2fdb.sqlite ${end}Content-Length: 1\r\n\r\nx`, / 404 /],
    [
      `PATCH /v2/a/b/blobs/uploads/00000000-0000-4000-8000-000000000000 ${end}Content-Length: 1\r\n\r\nx`,
      / 404 /,
    ],
    [`PUT /v2/a/b/manifests/x ${end}Content-Length: 99999999999999999999\r\n\r\n`, / 400 /],
    [`POST /v2/a/b/blobs/uploads/ ${end}Content-Length: 999999999999999\r\n\r\n`, / 413 /],
    [`PUT /v2/a/b/manifests/x ${end}Content-Length: 9999999\r\n\r\n`, / 413 /],
    [`TRACE /v2/ ${end}\r\n`, / 405 /],
    [`GET /v2/a/b/blobs/sha512:${"0".repeat(128)} ${end}\r\n`, / 400 /],
    [`GET /v2/a/b/tags/list?n=-1 ${end}\r\n`, / 400 /],
    [`GET / ${end}\r\n`, / 404 /],
    [`GET /v2/${"a/".repeat(2000)}manifests/x ${end}\r\n`, / 404 /],
  ];
  for (const [bytes, wanted] of lines)
    expect([bytes, await raw(served, bytes)]).toEqual([bytes, expect.stringMatching(wanted)]);
  await raw(served, Buffer.concat([Buffer.from(`GET /v2/ ${end}X: `), Buffer.alloc(10 << 20, "a")]));
  await raw(served, `FROB /v2/ ${end}\r\n`);
  const deep = "[".repeat(100_000);
  const body = `{"schemaVersion":2,"config":${deep}`;
  expect((await fetch(`${served.url}/v2/a/b/manifests/1`, { method: "PUT", body })).status).toBe(400);

  // 200 that say nothing, and one that has something to ask.
  const port = Number(served.address.split(":")[1]);
  const silent = Array.from({ length: 200 }, () => connect(port, "127.0.0.1").on("error", () => {}));
  for (const socket of silent) socket.write("GET /v2/ HTTP/1.1\r\nHo");
  const answers = await Promise.all(Array.from({ length: 200 }, () => fetch(`${served.url}/v2/`)));
  expect(answers.every(({ status }) => status === 200)).toBe(true);
  for (const socket of silent) socket.destroy();
  expect(served.process.stderr.text).not.toMatch(/in the registry|rt: internal/);
  expect(readdirSync(host.root).sort()).toEqual(expect.arrayContaining(["db.sqlite"]));
});

test("it ends with 0 when it is asked to, after what is at work; what it says is safe to read", async () => {
  await using host = await testHost();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    await using served = await serveRegistry(host);
    await fetch(`${served.url}/v2/%1b%5b31m/%E2%80%AE/manifests/x`);
    const started = await fetch(`${served.url}/v2/a/b/blobs/uploads/`, { method: "POST" });
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    void writer.write(Buffer.from("be"));
    const location = `${served.url}${started.headers.get("location")}`;
    const request = fetch(`${location}?digest=${digestOf("begun")}`, { method: "PUT", body: readable });
    await until("it has begun", async () => (await fetch(location)).headers.get("range") === "0-1");
    served.process.kill(signal);
    await until("no more are taken", async () =>
      fetch(`${served.url}/v2/`).then(
        () => false,
        () => true,
      ),
    );
    await writer.write(Buffer.from("gun"));
    await writer.close();
    expect((await request).status).toBe(201);
    expect(await served.process.exited).toBe(0);
    expect(served.process.stderr.text).toContain("PUT /v2/a/b/blobs/uploads/");
    expect(served.process.stderr.text).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
  }
  await using quiet = await serveRegistry(host, ["-q"]);
  await fetch(`${quiet.url}/v2/`);
  quiet.process.kill("SIGTERM");
  expect([await quiet.process.exited, quiet.process.stderr.text]).toEqual([0, ""]);
});

test("uploads that are nobody's any more go, those of a minute stay", async () => {
  await using host = await testHost();
  await using served = await serveRegistry(host);
  const location = (await fetch(`${served.url}/v2/a/b/blobs/uploads/`, { method: "POST" })).headers.get(
    "location",
  )!;
  await fetch(served.url + location, { method: "PATCH", body: "abc" });
  const path = uploadFile(host, location);
  await host.ok(["image", "prune", "-f"]);
  expect(statSync(path).size).toBe(3);
  await run(["touch", "-d", "2 days ago", path]);
  await pushBlob(served, "a/b", Buffer.from("z"));
  await fetch(`${served.url}/v2/a/b/blobs/${digestOf("z")}`, { method: "DELETE" });
  await until("it is gone", () => !readdirSync(join(host.root, "content/uploads")).length);
});

function uploadFile(host: TestHost, location: string): string {
  return join(host.root, "content/uploads", location.slice(location.lastIndexOf("/") + 1));
}
