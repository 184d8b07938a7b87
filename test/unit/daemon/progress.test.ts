import { expect, test } from "bun:test";
import { RtError } from "../../../src/base/errors.ts";
import type { ApiCall } from "../../../src/daemon/call.ts";
import { progressing } from "../../../src/daemon/progress.ts";
import { pullLines } from "../../../src/docker/progress.ts";

/** A client that reads a line when `read` is called. */
function slowClient() {
  const lines: unknown[] = [];
  const waiting: (() => void)[] = [];
  let state: "waiting" | "begun" | "ended" = "waiting";
  const body = {
    write(bytes: Uint8Array) {
      const { promise, resolve } = Promise.withResolvers<void>();
      lines.push(JSON.parse(Buffer.from(bytes).toString()));
      waiting.push(resolve);
      return promise;
    },
    end: () => {
      state = "ended";
    },
  };
  const stream = () => {
    state = "begun";
    return body;
  };
  return {
    call: { stream } as unknown as ApiCall,
    lines,
    state: () => state,
    async readAll() {
      while (state !== "ended") {
        for (const resolve of waiting.splice(0)) resolve();
        await Bun.sleep(0);
      }
    },
  };
}

const bar = (digit: string, current: number) =>
  pullLines({ layer: `sha256:${digit.repeat(64)}`, status: "downloading", current, total: 9 })[0]!;

test("what a slow client does not read is not kept: of each layer the last bar", async () => {
  const client = slowClient();
  const answered = progressing(client.call, async (tell) => {
    tell({ status: "begun" });
    for (let current = 1; current <= 9; current++) for (const digit of ["a", "b"]) tell(bar(digit, current));
  });
  await client.readAll();
  await answered;
  expect(client.lines).toEqual([{ status: "begun" }, bar("a", 9), bar("b", 9)]);
  expect(client.state()).toBe("ended");
});

test("a bar that has been held does not come after what has become of its layer", async () => {
  const client = slowClient();
  const [done] = pullLines({ layer: `sha256:${"a".repeat(64)}`, status: "done", current: 9, total: 9 });
  const answered = progressing(client.call, async (tell) => {
    for (const line of [{ status: "begun" }, bar("a", 1), done!]) tell(line);
  });
  await client.readAll();
  await answered;
  expect(client.lines).toEqual([{ status: "begun" }, done]);
});

test("what fails before the first line is the caller's, and later, or always, a line", async () => {
  const fails = async () => {
    throw new RtError("not-found", "no");
  };
  const early = slowClient();
  await expect(progressing(early.call, fails)).rejects.toThrow("no");
  expect(early.state()).toBe("waiting");
  const line = { errorDetail: { message: "no" }, error: "no", code: "not-found" };
  const always = slowClient();
  const answered = progressing(always.call, fails, { always: true });
  await always.readAll();
  await answered;
  expect([always.lines, always.state()]).toEqual([[line], "ended"]);
  const late = slowClient();
  const told = progressing(late.call, async (tell) => {
    tell({ status: "begun" });
    await fails();
  });
  await late.readAll();
  await told;
  expect(late.lines).toEqual([{ status: "begun" }, line]);
});
