import { readFileSync } from "node:fs";
import { RtError } from "../../base/errors.ts";
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
  if (refusals.has(errno) && isInUserNamespace())
    return "root is root of a user namespace only here, and rootless comes in a later version";
  return stage === abi.Stage.namespace ? namespaceHints[errno] : undefined;
}

function isInUserNamespace(): boolean {
  return !/^ *0 +0 +4294967295$/m.test(readFileSync("/proc/self/uid_map", "utf8"));
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
