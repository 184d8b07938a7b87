/** rt gives a default container no more than docker and podman do, in any row of the README's table, as it was recorded. */
import { expect, test } from "bun:test";
import { weaker } from "../survey/compare.ts";
import { readRecorded } from "../survey/record.ts";
import { tableInReadme, tableOf } from "../survey/table.ts";

const recorded = readRecorded();
const { docker, podman, rt } = recorded.engines;

test("the README's table is what is recorded", async () => {
  expect(await tableInReadme()).toBe(tableOf(recorded));
});

for (const [name, peer] of Object.entries({ docker, podman })) {
  test(`rt is not weaker than ${name}`, () => {
    expect(weaker(rt!, peer!)).toEqual([]);
  });
}

test("what is weaker in a row is found", () => {
  expect(weaker(docker!, rt!)).toContain("capabilities: mknod");
  expect(weaker(podman!, rt!)).toContain("keyring");
  expect(weaker({ ...rt!, hidden: [] }, rt!)).toEqual(rt!.hidden.map((path) => `hidden: ${path}`));
  expect(weaker({ ...rt!, namespaces: [], seccomp: 0 }, rt!)).toContain("seccomp");
});
