/**
 * Filters of system calls against what their profiles mean: profiles made up, and those that are in force. What denies with an errno
 * is tried in this machine's own kernel too. RT_FUZZ_PROFILES makes it longer, RT_FUZZ_SEED another one.
 */
import { beforeAll, expect, test } from "bun:test";
import { parseSeccompProfile, type SeccompProfile } from "../../src/settings/seccomp-profile.ts";
import { defaultCapabilities } from "../../src/spec/capabilities.ts";
import { resolveSeccomp } from "../../src/spec/seccomp.ts";
import { defaultSeccomp } from "../../src/spec/seccomp-default.ts";
import { needs } from "../support/root.ts";
import { profileOf, profilesNeed } from "../support/seccomp-profiles.ts";
import { fuzzProgram } from "./program.ts";

const profiles = Number(process.env.RT_FUZZ_PROFILES || 150);
const seed = Number(process.env.RT_FUZZ_SEED || 1);
const machines = { x86_64: "amd64", aarch64: "arm64" } as const;
const here = process.arch === "arm64" ? "aarch64" : "x86_64";

let program: string;
beforeAll(async () => {
  program = await fuzzProgram("rt-fuzz-seccomp");
}, 600_000);

/** What it prints: two numbers. */
async function ask(words: string[], input = ""): Promise<[number, number]> {
  const child = Bun.spawn([program, ...words], {
    stdio: [Buffer.from(input), "pipe", "pipe"],
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  expect([await child.exited, stderr]).toEqual([0, ""]);
  const [, first, second] = /^(\d+) \w+, (\d+) calls\n$/.exec(stdout) ?? [];
  return [Number(first), Number(second)];
}

for (const machine of ["x86_64", "aarch64"] as const) {
  test(`${machine}: whatever a profile says is what its filter does (seed ${seed})`, async () => {
    const [made, tried] = await ask(["random", machine, `${seed}`, `${profiles}`]);
    expect(made).toBe(profiles);
    expect(tried > 0).toBe(machine === here);
  }, 600_000);

  test(`${machine}: the default profile's filter means what it says, whatever the capabilities`, async () => {
    await expectMeant(defaultSeccomp, machine);
  }, 240_000);
}

needs(profilesNeed).test(
  "so do the filters of Docker's profile and of podman's",
  async () => {
    for (const whose of ["docker", "podman"] as const) {
      const text = await Bun.file(await profileOf(whose)).text();
      for (const machine of ["x86_64", "aarch64"] as const)
        await expectMeant(parseSeccompProfile(text, whose), machine);
    }
  },
  240_000,
);

async function expectMeant(profile: SeccompProfile, machine: keyof typeof machines): Promise<void> {
  const more = ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_BPF", "CAP_AUDIT_WRITE"];
  for (const capabilities of [defaultCapabilities, [], more, [...defaultCapabilities, ...more]]) {
    const facts = { capabilities, architecture: machines[machine], kernel: "6.12.0" };
    const kernel = machine === here ? ["kernel"] : [];
    const resolved = JSON.stringify(resolveSeccomp(profile, facts));
    const [instructions, calls] = await ask(["check", machine, ...kernel], resolved);
    expect(instructions).toBeWithin(100, 1500);
    expect(calls > 1000).toBe(machine === here);
  }
}
