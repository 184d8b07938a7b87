import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { renderHelp } from "../../../../src/cli/grammar/help.ts";
import { commands, groups } from "../../../../src/cli/table.ts";

/** Reviewed by people: `RT_UPDATE_GOLDEN=1 bun test` writes them anew. */
const golden = join(import.meta.dir, "golden");

const paths = [
  "",
  ...groups.keys(),
  ...[...commands.keys()].filter(
    (path) => !/^(container|image|system) |^(volume|network) (list|remove)$/.test(path),
  ),
];

test.each(paths)("rt %s --help", async (path) => {
  const file = join(golden, `help${path ? `-${path.replaceAll(" ", "-")}` : ""}.txt`);
  const text = await renderHelp(path);
  if (process.env.RT_UPDATE_GOLDEN) writeFileSync(file, text);
  expect(text).toBe(readFileSync(file, "utf8"));
  const long = text.split("\n").filter((line) => line.length > 100);
  expect(long).toEqual([]);
});

test("help of run says what the network is", async () => {
  expect(await renderHelp("run")).toContain('The default network is "bridge": an address of its own');
});
