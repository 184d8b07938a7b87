import type { SpecSeccomp, SpecSyscalls } from "../oci/runtime-spec.ts";
import type { SeccompCondition, SeccompProfile, SeccompRule } from "../settings/seccomp-profile.ts";

/** What a profile's conditions ask for. */
export interface SeccompFacts {
  /** The bounding set: "CAP_SYS_ADMIN". */
  capabilities: readonly string[];
  /** Go's name: "amd64". */
  architecture: string;
  /** uname(2)'s release: "6.1.0-44-cloud-amd64". */
  kernel: string;
}

/** A machine's own system calls, and those of the others whose programs it runs. */
const families: Readonly<Record<string, readonly string[]>> = {
  amd64: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
  arm64: ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
};

/** What a profile says for a container on this machine, as the runtime specification has it. */
export function resolveSeccomp(profile: SeccompProfile, facts: SeccompFacts): SpecSeccomp {
  const { defaultAction, defaultErrnoRet, flags = [] } = profile;
  return {
    defaultAction,
    ...(defaultErrnoRet !== undefined && { defaultErrnoRet }),
    architectures: architecturesOf(profile, facts.architecture),
    ...(flags.length > 0 && { flags }),
    syscalls: profile.syscalls.filter((rule) => holds(rule, facts)).map(unconditional),
  };
}

/** What is left of a profile on this machine, whatever the container: only capabilities are still asked for. */
export function rulesHere(
  profile: SeccompProfile,
  machine: Omit<SeccompFacts, "capabilities">,
): SeccompProfile {
  const withCaps = (condition: SeccompCondition | undefined) =>
    condition?.caps?.length ? { caps: condition.caps } : undefined;
  const { archMap, ...rest } = profile;
  return {
    ...rest,
    architectures: architecturesOf(profile, machine.architecture),
    syscalls: profile.syscalls.flatMap((rule) => {
      const includes = { ...rule.includes, caps: [] };
      const excludes = { ...rule.excludes, caps: [] };
      if (!holds({ ...rule, includes, excludes }, { ...machine, capabilities: [] })) return [];
      const [wanted, unwanted] = [withCaps(rule.includes), withCaps(rule.excludes)];
      return [
        {
          ...unconditional(rule),
          ...(wanted && { includes: wanted }),
          ...(unwanted && { excludes: unwanted }),
        },
      ];
    }),
  };
}

/** Its own is always among them, and first; what this machine cannot run is left out. */
function architecturesOf({ architectures = [], archMap = [] }: SeccompProfile, machine: string): string[] {
  const family = families[machine] ?? [];
  const [own] = family;
  const others = archMap.find(({ architecture }) => architecture === own)?.subArchitectures ?? [];
  const asked = new Set(architectures.length > 0 ? architectures : others);
  return family.filter((name) => name === own || asked.has(name));
}

function holds({ includes, excludes }: SeccompRule, facts: SeccompFacts): boolean {
  return (!includes || isAll(includes, facts)) && (!excludes || !isAny(excludes, facts));
}

function isAll({ caps = [], arches = [], minKernel }: SeccompCondition, facts: SeccompFacts): boolean {
  return (
    caps.every((name) => facts.capabilities.includes(name)) &&
    (arches.length === 0 || arches.includes(facts.architecture)) &&
    (minKernel === undefined || isAtLeast(facts.kernel, minKernel))
  );
}

function isAny({ caps = [], arches = [], minKernel }: SeccompCondition, facts: SeccompFacts): boolean {
  return (
    caps.some((name) => facts.capabilities.includes(name)) ||
    arches.includes(facts.architecture) ||
    (minKernel !== undefined && isAtLeast(facts.kernel, minKernel))
  );
}

/** By the first two numbers; what is no version is older than any. */
function isAtLeast(kernel: string, version: string): boolean {
  const numbers = (text: string) => /^(\d+)\.(\d+)/.exec(text)?.slice(1).map(Number) ?? [0, 0];
  const [[major = 0, minor = 0], [wantedMajor = 0, wantedMinor = 0]] = [numbers(kernel), numbers(version)];
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

function unconditional({ names, action, errnoRet, args }: SeccompRule): SpecSyscalls {
  return { names, action, ...(errnoRet !== undefined && { errnoRet }), ...(args && { args }) };
}
