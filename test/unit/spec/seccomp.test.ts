import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { SpecSeccomp } from "../../../src/oci/runtime-spec.ts";
import { parseSeccompProfile, type SeccompProfile } from "../../../src/settings/seccomp-profile.ts";
import { defaultCapabilities } from "../../../src/spec/capabilities.ts";
import { resolveSeccomp, rulesHere } from "../../../src/spec/seccomp.ts";
import { defaultSeccomp } from "../../../src/spec/seccomp-default.ts";
import { needs } from "../../support/root.ts";
import { profileOf, profilesNeed } from "../../support/seccomp-profiles.ts";

const facts = { capabilities: defaultCapabilities, architecture: "amd64", kernel: "6.1.0-44-amd64" };

function allowed(profile: SeccompProfile, more: Partial<typeof facts> = {}): Set<string> {
  const { syscalls } = resolveSeccomp(profile, { ...facts, ...more });
  return new Set(syscalls.filter(({ action }) => action === "SCMP_ACT_ALLOW").flatMap(({ names }) => names));
}

test("a rule holds where all that it includes is so, and nothing that it excludes", () => {
  const holds = (conditions: object, more: Partial<typeof facts> = {}) => {
    const rule = { names: ["x"], action: "SCMP_ACT_ALLOW", ...conditions };
    return allowed({ defaultAction: "SCMP_ACT_ERRNO", syscalls: [rule] }, more).size === 1;
  };
  const [kill, admin] = [{ caps: ["CAP_KILL"] }, { caps: ["CAP_KILL", "CAP_SYS_ADMIN"] }];
  expect([holds({}), holds({ includes: {}, excludes: {} })]).toEqual([true, true]);
  expect([holds({ includes: kill }), holds({ includes: admin })]).toEqual([true, false]);
  expect([holds({ excludes: kill }), holds({ excludes: admin })]).toEqual([false, false]);
  expect(holds({ excludes: { caps: ["CAP_SYS_ADMIN"] } })).toBe(true);
  for (const [arches, isThere] of [
    [["arm64", "amd64"], true],
    [["arm64"], false],
  ] as const) {
    expect([holds({ includes: { arches } }), holds({ excludes: { arches } })]).toEqual([isThere, !isThere]);
  }
  for (const [minKernel, kernel, isNewer] of [
    ["4.8", "4.8", true],
    ["4.8", "4.7.99", false],
    ["4.8", "4.10.0-rc5", true],
    ["4.8", "5.0-custom", true],
    ["10.0", "9.9.9", false],
    ["4.8", "who knows", false],
  ] as const) {
    const both = [
      holds({ includes: { minKernel } }, { kernel }),
      holds({ excludes: { minKernel } }, { kernel }),
    ];
    expect(both).toEqual([isNewer, !isNewer]);
  }
});

test.each([
  [{}, ["X86_64"]],
  [{ architectures: ["ARM", "X32", "X86"] }, ["X86_64", "X86", "X32"]],
  [{ architectures: ["NATIVE"] }, ["X86_64"]],
  [
    { architectures: [], archMap: [{ architecture: "X86_64", subArchitectures: ["X86"] }] },
    ["X86_64", "X86"],
  ],
  [{ archMap: [{ architecture: "AARCH64", subArchitectures: ["X86"] }] }, ["X86_64"]],
])("of %p an x86-64 has %p", (asked, found) => {
  const named = (value: unknown) =>
    JSON.parse(JSON.stringify(value).replace(/"([A-Z0-9_]+)"/g, '"SCMP_ARCH_$1"'));
  const profile = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [], ...named(asked) };
  expect(resolveSeccomp(profile, facts).architectures).toEqual(named(found));
});

test("ours is written as others are, and can be given back", () => {
  expect(parseSeccompProfile(JSON.stringify(defaultSeccomp), "x")).toEqual(defaultSeccomp);
});

const never = [
  ...[
    "add_key",
    "request_key",
    "keyctl",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "userfaultfd",
  ],
  ...[
    "kexec_load",
    "kexec_file_load",
    "pivot_root",
    "swapon",
    "swapoff",
    "vmsplice",
    "uselib",
    "ustat",
    "vm86",
    "nfsservctl",
  ],
];
const byCapability = {
  SYS_ADMIN: [
    "mount",
    "umount2",
    "unshare",
    "setns",
    "clone3",
    "bpf",
    "perf_event_open",
    "open_tree",
    "fsopen",
    "sethostname",
  ],
  DAC_READ_SEARCH: ["open_by_handle_at"],
  SYS_MODULE: ["init_module", "finit_module", "delete_module"],
  SYS_PTRACE: ["pidfd_getfd", "kcmp", "process_madvise"],
  SYS_TIME: ["settimeofday", "clock_settime"],
  SYS_RAWIO: ["iopl", "ioperm"],
  SYS_BOOT: ["reboot"],
  SYS_CHROOT: ["chroot"],
  SYSLOG: ["syslog"],
  BPF: ["bpf"],
  PERFMON: ["perf_event_open"],
};

test("calls of the whole machine come with their capability, some with none", () => {
  const bare = allowed(defaultSeccomp, { capabilities: [] });
  const everything = Object.keys(byCapability).map((name) => `CAP_${name}`);
  const most = allowed(defaultSeccomp, { capabilities: everything });
  expect(never.filter((name) => most.has(name))).toEqual([]);
  for (const [capability, names] of Object.entries(byCapability)) {
    const found = allowed(defaultSeccomp, { capabilities: [`CAP_${capability}`] });
    expect([capability, ...names.filter((name) => bare.has(name) || !found.has(name))]).toEqual([capability]);
  }
  expect(allowed(defaultSeccomp, { kernel: "4.7" }).has("ptrace")).toBe(false);
  expect(allowed(defaultSeccomp).has("ptrace")).toBe(true);
});

/** To accept a change on purpose: RT_UPDATE_GOLDEN=1 bun test test/unit/spec */
test("on a machine only capabilities are still asked for", () => {
  const { capabilities: _, ...machine } = facts;
  const here = rulesHere(defaultSeccomp, machine);
  const conditions = here.syscalls.flatMap(({ includes = {}, excludes = {} }) => [includes, excludes]);
  expect(new Set(conditions.flatMap(Object.keys))).toEqual(new Set(["caps"]));
  expect(here.syscalls.flatMap(({ names }) => names)).not.toContain("s390_pci_mmio_read");
  for (const capabilities of [[], ["CAP_SYS_ADMIN", "CAP_AUDIT_WRITE"], defaultCapabilities]) {
    const both = [defaultSeccomp, here].map((profile) =>
      resolveSeccomp(profile, { ...machine, capabilities }),
    );
    expect(both[0]).toEqual(both[1]!);
  }
});

test("the default is the one that was looked through", async () => {
  const { syscalls } = resolveSeccomp(defaultSeccomp, facts);
  const lines = syscalls.map(
    ({ names, ...rest }) => `${JSON.stringify(rest)}\n  ${[...names].sort().join("\n  ")}\n`,
  );
  const golden = Bun.file(new URL("golden/seccomp-default.txt", import.meta.url));
  if (process.env.RT_UPDATE_GOLDEN) await golden.write(lines.join(""));
  expect(lines.join("")).toBe(await golden.text());
});

/** As the documents have them. */
interface Rule {
  name?: string;
  names?: string[];
  action: string;
  errnoRet?: number | null;
  args?: object[] | null;
  includes?: { caps?: string[]; arches?: string[] };
  excludes?: { caps?: string[]; arches?: string[] };
}

/** What a document says, read without any of our code. */
function plainly(file: string, capabilities: readonly string[]): SpecSeccomp["syscalls"] {
  const { syscalls } = JSON.parse(readFileSync(file, "utf8"));
  return syscalls.flatMap((rule: Rule) => {
    const { name, names = [name ?? ""], action, errnoRet, args, includes = {}, excludes = {} } = rule;
    const isIn = (list: string[] | null | undefined, word: string) => list?.includes(word) ?? false;
    if (includes.caps && !includes.caps.every((cap: string) => capabilities.includes(cap))) return [];
    if (includes.arches && !isIn(includes.arches, "amd64")) return [];
    if (excludes.caps?.some((cap: string) => capabilities.includes(cap)) || isIn(excludes.arches, "amd64"))
      return [];
    return [{ names, action, ...(errnoRet && { errnoRet }), ...(args?.length && { args }) }];
  });
}

const { test: testOfOthers } = needs(profilesNeed);

for (const whose of ["docker", "old", "podman"] as const) {
  testOfOthers(`${whose}: a profile that others ship says what it says there`, async () => {
    const file = await profileOf(whose);
    const profile = parseSeccompProfile(readFileSync(file, "utf8"), file);
    for (const capabilities of [[], ["CAP_SYS_ADMIN"], ["CAP_BPF", "CAP_SYS_PTRACE", "CAP_AUDIT_WRITE"]]) {
      const { architectures, syscalls } = resolveSeccomp(profile, { ...facts, capabilities });
      expect(syscalls).toEqual(plainly(file, capabilities));
      expect(architectures).toEqual(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]);
    }
  });
}

/** Which came after the profiles that Debian has, and which docker's and podman's let through by now. */
const newer = new Set(
  [
    "epoll_pwait2 fchmodat2 landlock_add_rule landlock_create_ruleset landlock_restrict_self memfd_secret name_to_handle_at",
    "pkey_alloc pkey_free pkey_mprotect process_mrelease process_vm_readv process_vm_writev uretprobe",
  ].flatMap((line) => line.split(" ")),
);

testOfOthers("without a capability there is nothing that others do not let through", async () => {
  for (const whose of ["docker", "podman"] as const) {
    const theirs = allowed(parseSeccompProfile(readFileSync(await profileOf(whose), "utf8"), whose), {
      capabilities: [],
    });
    const ours = allowed(defaultSeccomp, { capabilities: [] });
    expect([...ours].filter((name) => !theirs.has(name) && !newer.has(name))).toEqual([]);
  }
});
