import { readFileSync } from "node:fs";
import { RtError } from "../../base/errors.ts";
import { isInitialUserNamespace } from "../../base/own-user-namespace.ts";
import * as abi from "../../native/abi.ts";
import { describeErrno, errnoName } from "../../native/ffi.ts";

/** Why a root may have no namespaces: words of a filter's or a counter's that nobody takes for that. */
const inContainer = "a container that rt is to run in needs --privileged";
const namespaceHints: Readonly<Record<string, string>> = {
  ENOSYS: inContainer,
  EPERM: inContainer,
  ENOSPC: "see /proc/sys/user/max_*_namespaces",
};

/** What the kernel says to the root of a user namespace, in its own words: an unmapped group, a mount it may not make. */
const refusals = new Set(["EPERM", "EACCES", "EINVAL"]);

function hintOf(stage: number, errno: string): string | undefined {
  // Of setresuid(2), setresgid(2) and setgroups(2): what joins a container cannot read its maps in there to say more.
  if (stage === abi.Stage.identity && errno === "EINVAL")
    return "nobody has that number in the container's user namespace: run as somebody who is there";
  if (refusals.has(errno) && !isInitialUserNamespace())
    return "the kernel lets the host's root do that, and root is root of a user namespace only here";
  if (stage === abi.Stage.namespace) return namespaceHints[errno];
  return errno === "EPERM" && stage !== abi.Stage.exec && isConfined() ? inContainer : undefined;
}

/** CAP_NET_ADMIN and CAP_SYS_ADMIN, capabilities(7): what root of a container has been left without. */
const needed = (1n << 12n) | (1n << 21n);

/** Or a filter of system calls is over it, which pivot_root(2) does not pass whatever capabilities there are. */
function isConfined(): boolean {
  const status = readFileSync("/proc/self/status", "utf8");
  const held = /^CapEff:\t([0-9a-f]+)$/m.exec(status)?.[1];
  if (/^Seccomp:\t2$/m.test(status)) return true;
  return held !== undefined && (BigInt(`0x${held}`) & needed) !== needed;
}

const ENOENT = 2;

/** What a `failed` frame says. @throws RtError internal: it says nothing */
export function failureIn(payload: Buffer): RtError {
  if (payload.length < abi.failure_header_bytes)
    return new RtError("internal", "the monitor failed, and does not say why");
  const message = payload.toString("utf8", abi.failure_header_bytes);
  return stageFailure(payload.readUInt32BE(0), payload.readUInt32BE(4), message);
}

/** The child's words as an error: its message names the object, the errno says why. */
export function stageFailure(stage: number, errno: number, message: string): RtError {
  const name = errno === 0 ? undefined : errnoName(errno);
  const reason = name === undefined ? message : `${message}: ${describeErrno(name)}`;
  const hint = name === undefined ? undefined : hintOf(stage, name);
  const text = hint === undefined ? reason : `${reason}: ${hint}`;
  if (stage === abi.Stage.exec) {
    // The message has the reason in the words that people know from their shells.
    return new RtError(errno === ENOENT ? "not-found" : "forbidden", message, {
      exitCode: errno === ENOENT ? 127 : 126,
    });
  }
  // Docker's rule: what the program itself may not do is 126; that the container cannot be made as asked is 125.
  if (stage === abi.Stage.cwd && name === "EACCES") return new RtError("forbidden", text, { exitCode: 126 });
  if (stage === abi.Stage.identity || stage === abi.Stage.cwd) return new RtError("invalid-argument", text);
  return new RtError(name === "EPERM" || name === "EACCES" ? "forbidden" : "unavailable", text);
}
