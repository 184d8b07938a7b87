import { readFileSync } from "node:fs";
import type { ContainerRecord } from "../../container/record.ts";
import type { SpecProcess } from "../../oci/runtime-spec.ts";
import { mergeEnv, workingDirectory } from "../../settings/combine.ts";
import { resolveCapabilities } from "../../spec/capabilities.ts";
import { rlimits } from "../../spec/generate.ts";
import type { ExecOptions } from "./exec-options.ts";
import { groupsOf } from "./groups.ts";
import { moduleLabels } from "./labels.ts";

type Wishes = Pick<ExecOptions, "command"> &
  Partial<Pick<ExecOptions, "tty" | "env" | "workingDirectory" | "privileged">>;

/** Another program in a container: as its own, unless something else is asked for. @param size of its terminal */
export function execProcess(
  record: ContainerRecord,
  options: Wishes,
  size?: { height: number; width: number },
): SpecProcess {
  const { command, tty = false, env = [], privileged = false } = options;
  const capabilities = resolveCapabilities(record.capAdd, record.capDrop, record.privileged || privileged);
  const { ours } = groupsOf(record);
  const { mountLabel: _, ...labels } = moduleLabels(record.id, {
    ...record,
    privileged: record.privileged || privileged,
  });
  const terminal = tty && !record.env.some((entry) => entry.startsWith("TERM=")) ? ["TERM=xterm"] : [];
  return {
    terminal: tty,
    ...(size ? { consoleSize: size } : {}),
    user: { uid: 0, gid: 0, umask: 0o022, ...(ours.length > 0 && { additionalGids: ours }) },
    args: command,
    env: mergeEnv([...record.env, ...terminal], env),
    cwd: workingDirectory(options.workingDirectory ?? "", record.workingDirectory),
    capabilities: {
      bounding: capabilities,
      effective: capabilities,
      permitted: capabilities,
      inheritable: [],
      ambient: [],
    },
    rlimits: rlimits(record, descriptorsMax()),
    noNewPrivileges: record.noNewPrivileges,
    ...(record.oomScoreAdj !== 0 && { oomScoreAdj: record.oomScoreAdj }),
    ...labels,
  };
}

/** Our own hard limit of open descriptors. */
export function descriptorsMax(): number {
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
  return hard === undefined || hard === "unlimited" ? 1048576 : Number(hard);
}
