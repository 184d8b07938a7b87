/** What `rt __complete` answers, on an engine that answers what the test says. */
import { expect, test } from "bun:test";
import { runCli } from "../../../../src/cli/cli.ts";
import { wordsOfLine } from "../../../../src/cli/completion/line.ts";
import type { ContainerSummary } from "../../../../src/docker/container-summary.ts";
import { fakeEngine } from "../../../support/fake-engine.ts";
import { capture } from "../capture.ts";

const container = (name: string, state: string) => ({ name, state, status: "" }) as ContainerSummary;

async function completed(line: string): Promise<string[]> {
  const engine = fakeEngine({
    container: {
      list: async () => [container("web", "running"), container("old", "exited"), container("ice", "paused")],
    },
    image: {
      list: async () =>
        [
          {
            tags: [
              { name: "alpine:latest", digest: "" },
              { name: "a/b:1", digest: "" },
            ],
          },
        ] as never,
    },
    volume: { list: async () => [{ Name: "data" }, { Name: "evil\u001b[31m" }] as never },
  });
  const context = { ...capture(), openEngine: engine.open };
  expect(await runCli(["__complete", "--", line], context)).toBe(0);
  return context.stdout.text
    .split("\n")
    .filter(Boolean)
    .map((each) => each.split("\t")[0]!);
}

test("words of a line, as a shell takes them", () => {
  expect(wordsOfLine("rt ps ")).toEqual(["rt", "ps", ""]);
  expect(wordsOfLine(`rt  "a b"'c'd\\ e`)).toEqual(["rt", "a bcd e"]);
  expect(wordsOfLine(`rt "open \\" quote`)).toEqual(["rt", 'open " quote']);
  expect(wordsOfLine("rt x\\")).toEqual(["rt", "x"]);
  expect(wordsOfLine("")).toEqual([""]);
});

test("commands, groups, and what is in them", async () => {
  expect(await completed("rt sta")).toEqual(["start", "stats"]);
  expect(await completed("rt volume ")).toContain("prune");
  expect(await completed("rt volu")).toEqual(["volume"]);
  expect(await completed("rt --log-level debug ima")).toEqual(["images", "image"]);
  expect(await completed("rt container ")).not.toContain("conclude");
  expect(await completed("rt ")).not.toContain("__complete");
  expect(await completed("rt nosuch ")).toEqual([]);
});

test("flags, a command's own first, and their values", async () => {
  expect((await completed("rt ps -")).slice(0, 2)).toEqual(["-a", "--all"]);
  expect(await completed("rt ps --no")).toEqual(["--no-trunc"]);
  for (const line of ["rt run --pull ", "rt run --rm -it --pull ", "rt container run --pull "])
    expect(await completed(line)).toEqual(["always", "missing", "never"]);
  expect(await completed("rt run --pull=al")).toEqual(["--pull=always"]);
  const containers = ["container:web", "container:old", "container:ice"];
  expect(await completed("rt run --uts ")).toEqual(["host", "private", ...containers]);
  expect(await completed("rt run --cgroupns ")).toEqual(["host", "private", ...containers]);
  expect(await completed("rt run --time-offset b")).toEqual(["boottime=", ":open"]);
  expect(await completed("rt ps -f status=p")).toEqual(["status=paused"]);
  expect(await completed("rt container ls --filter stat")).toEqual(["status=", ":open"]);
  expect(await completed("rt ps -f he")).toEqual(["health=", ":open"]);
  expect(await completed("rt ps -f health=un")).toEqual(["health=unhealthy"]);
  expect(await completed("rt run --log-driver l")).toEqual(["local"]);
  expect(await completed("rt ps --format ")).toEqual(["json", "table"]);
  expect(await completed("rt events --format ")).toEqual(["json"]);
  expect(await completed("rt save --format o")).toEqual(["oci-archive", "oci-dir"]);
  expect(await completed("rt push --compression ")).toEqual(["gzip", "zstd", "uncompressed"]);
  for (const line of ["rt pull al", "rt push al", "rt push a/b:1 al", "rt image cp al"])
    expect(await completed(line)).toEqual(["alpine", ":files"]);
  for (const line of ["rt save -o ", "rt load -i ", "rt import "])
    expect(await completed(line)).toEqual([":files"]);
  for (const line of ["rt save al", "rt save a/b:1 al", "rt tag al", "rt history al"])
    expect(await completed(line)).toEqual(["alpine"]);
  expect(await completed("rt run -itv da")).toEqual(["data", ":files", ":open"]);
  expect(await completed("rt run --cidfile ")).toEqual([":files"]);
  expect(await completed("rt --root ")).toEqual([":files"]);
  expect(await completed("rt --log-level ")).toEqual(["debug", "info", "warn", "error"]);
  expect(await completed("rt run --name ")).toEqual([]);
});

test("names, those that the command is for", async () => {
  expect(await completed("rt stop ")).toEqual(["web", "ice"]);
  expect(await completed("rt start ")).toEqual(["old"]);
  expect(await completed("rt rm -f ")).toEqual(["web", "old", "ice"]);
  expect(await completed("rt rm web o")).toEqual(["old"]);
  expect(await completed("rt rm web w")).toEqual([]);
  expect(await completed("rt exec -it ")).toEqual(["web"]);
  expect(await completed("rt run --rm ")).toEqual(["alpine", "a/b:1"]);
  expect(await completed("rt rmi a/")).toEqual(["a/b:1"]);
  expect(await completed("rt volume rm ")).toEqual(["data"]);
  expect(await completed("rt cp w")).toEqual(["web:", ":files", ":open"]);
  expect(await completed("rt inspect ")).toEqual(["web", "old", "ice", "alpine", "a/b:1", "data"]);
  expect(await completed("rt commit old al")).toEqual(["alpine"]);
  // The rest is the program's.
  for (const line of ["rt exec web ", "rt run alpine --", "rt run alpine sh -"])
    expect(await completed(line)).toEqual([]);
});
