/** What is typed at rt is answered as docker 28 has answered it (record.ts), but for what deviations.ts names. */
import { expect } from "bun:test";
import { containerTests, image } from "../../cli/world.ts";
import { rtBinary } from "../../support/rt.ts";
import { type Answer, differences } from "./answer.ts";
import { reasonOf, unused } from "./deviations.ts";
import { follow } from "./follow.ts";

const { test, host } = containerTests();

test("ps, inspect, logs, top, events, diff and the others answer as docker's do", async () => {
  const recorded = await Bun.file(`${import.meta.dir}/docker-28.json`).json();
  const docker = new Map<string, Answer>(Object.entries(recorded.answers));
  const type = async (words: string) => {
    const child = Bun.spawn(["sh", "-c", `cd /; exec ${rtBinary} ${words}`], {
      env: host().env,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [stdout, stderr, code] = await Promise.all([
      child.stdout.text(),
      child.stderr.text(),
      child.exited,
    ]);
    return { stdout, stderr, code };
  };
  const answers = await follow(type, image);
  expect([...answers.keys()]).toEqual([...docker.keys()]);
  const found = new Set<string>();
  const unexplained = [];
  for (const [step, answer] of answers) {
    for (const [place, [theirs, rt]] of differences(docker.get(step)!, answer)) {
      found.add(`${step} :: ${place}`);
      if (reasonOf(step, place) === undefined) unexplained.push({ step, place, docker: theirs, rt });
    }
  }
  expect(unexplained).toEqual([]);
  expect(unused(found)).toEqual([]);
}, 120_000);
