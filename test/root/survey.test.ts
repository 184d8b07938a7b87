/** What a default container may do is what test/survey/recorded.json says of rt, in run and in exec. */
import { expect } from "bun:test";
import { readdirSync, statSync } from "node:fs";
import { containerTests, image, running } from "../cli/world.ts";
import { run } from "../support/command.ts";
import { weaker } from "../survey/compare.ts";
import { type Facts, factsOf } from "../survey/facts.ts";
import { surveyProgram } from "../survey/program.ts";
import { kernelRelease, readRecorded } from "../survey/record.ts";

const { test, host } = containerTests();
const { kernel, engines } = readRecorded();
const recorded = engines.rt!;

/** Where tracefs is not mounted its place is an empty directory. */
function isToHide(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat !== undefined && (!stat.isDirectory() || readdirSync(path).length > 0);
}

/** A machine may have less to hide, and another kernel more calls; what is given by rt itself is the same everywhere. */
function expectAsRecorded(facts: Facts): void {
  const { openFiles, hidden, ...rest } = recorded;
  const here: Facts = {
    ...rest,
    openFiles: facts.openFiles,
    hidden: hidden.filter(isToHide),
  };
  if (kernel !== kernelRelease()) [here.calls, here.callsI386] = [facts.calls, facts.callsI386];
  expect(weaker(facts, here)).toEqual([]);
  const exact = ({ capabilities, calls, callsI386, arguments: given, devices, namespaces }: Facts) => ({
    ...{ capabilities, calls, callsI386, given, devices, namespaces },
  });
  expect(exact(facts)).toEqual(exact(here));
}

test("run and exec give what is recorded, and exec no more than run", async () => {
  const program = await surveyProgram();
  const onHost = await run([program, "host"]);
  const flags = ["--network", "none", "-v", `${program}:/survey:ro`];
  expectAsRecorded(factsOf(await host().ok(["run", "--rm", ...flags, image, "/survey"]), onHost));
  await using container = await running(host(), ["sleep", "1000"], flags);
  expectAsRecorded(factsOf(await host().ok(["exec", container.name, "/survey"]), onHost));
});

test("a container that is given more is told from one that is not", async () => {
  const program = await surveyProgram();
  const flags = ["--network", "none", "-v", `${program}:/survey:ro`, "--cap-add", "SYS_ADMIN"];
  const facts = factsOf(
    await host().ok(["run", "--rm", ...flags, image, "/survey"]),
    await run([program, "host"]),
  );
  expect(weaker(facts, recorded)).toContain("capabilities: sys_admin");
  expect(weaker(facts, recorded)).toContain("calls: mount");
});
