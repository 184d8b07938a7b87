import { expect, test } from "bun:test";
import { capabilityNames, limitNames } from "../../../../src/base/linux.ts";
import type { RuntimeSpec } from "../../../../src/oci/runtime-spec.ts";
import { decide, maskOf } from "../../../../src/runtime/native/decide.ts";

const none = { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] };
const process = {
  ...{ terminal: false, user: { uid: 0, gid: 0 }, args: ["sh"], env: [], cwd: "/", noNewPrivileges: false },
  capabilities: { ...none, bounding: ["CAP_CHOWN", "CAP_KILL", "CAP_CHECKPOINT_RESTORE"] },
  rlimits: [{ type: "RLIMIT_NOFILE", soft: 1024, hard: -1 }],
};
const spec: RuntimeSpec = {
  ...{ ociVersion: "1.2.0", root: { path: "/r", readonly: true }, process, annotations: { a: "b" } },
  mounts: [{ destination: "/x", type: "bind", source: "/y", options: ["rbind", "ro"] }],
  linux: {
    namespaces: [{ type: "mount" }, { type: "network", path: "/run/netns/n" }],
    devices: [{ path: "/dev/null", type: "c", major: 1, minor: 3, fileMode: 0o666, uid: 0, gid: 0 }],
    resources: {
      devices: [
        { allow: false, access: "rwm" },
        { allow: true, type: "c", major: 1, access: "r" },
      ],
    },
    ...{ cgroupsPath: "/rt/x", sysctl: {}, maskedPaths: [], readonlyPaths: [] },
  },
};
const request = {
  ...{ kind: "create", id: "0".repeat(64), spec, rootfs: { type: "bind", source: "/r" } },
  sources: { "/x": { subpath: "a", uids: [[1, 2, 3]] } },
  ...{
    stateDirectory: "/s",
    user: "",
    groupAdd: [],
    reaper: false,
    stdin: false,
    filter: { path: "/f", asked: false },
    cgroup: null,
    attended: true,
    successor: null,
    log: null,
    restart: null,
  },
} as const;

test("names become the kernel's numbers", () => {
  const decided = decide(request as never) as { spec: Record<string, unknown> };
  expect(decided.spec).toMatchObject({
    readonly: true,
    namespaces: [
      { flag: 0x00020000, path: "" },
      { flag: 0x40000000, path: "/run/netns/n" },
    ],
    devices: [{ path: "/dev/null", mode: 0o020666, major: 1, minor: 3, uid: 0, gid: 0 }],
    deviceRules: [
      { allow: false, kind: 0, major: null, minor: null, access: 7 },
      { allow: true, kind: 2, major: 1, minor: null, access: 2 },
    ],
    mounts: [
      { bind: true, recursive: true, set: 1, lower: [], subpath: "a", uids: [{ from: 1, to: 2, count: 3 }] },
    ],
    process: {
      rlimits: [{ resource: 7, soft: 1024, hard: -1 }],
      capabilities: { bounding: 2 ** 40 + 0b100001, ambient: 0 },
      user: { umask: 0o022, additionalGids: [] },
    },
  });
  // Nothing that only an external runtime reads.
  expect(Object.keys(decided.spec)).not.toContainAnyValues(["ociVersion", "annotations", "root", "linux"]);
});

test("clocks are at their numbers", () => {
  const offsets = { boottime: { secs: -2, nanosecs: 5 }, monotonic: { secs: 1, nanosecs: 0 } };
  const timed = { ...request, spec: { ...spec, linux: { ...spec.linux, timeOffsets: offsets } } };
  expect(decide(timed as never)).toMatchObject({
    spec: {
      timeOffsets: [
        { clock: 1, seconds: 1, nanoseconds: 0 },
        { clock: 7, seconds: -2, nanoseconds: 5 },
      ],
    },
  });
});

test("capabilities and limits are at their numbers", () => {
  expect([capabilityNames.length, limitNames.length]).toEqual([41, 16]);
  const some = ["CHOWN", "SYS_ADMIN", "SYS_RESOURCE", "SETFCAP", "CHECKPOINT_RESTORE"];
  expect(some.map((name) => capabilityNames.indexOf(name))).toEqual([0, 21, 24, 31, 40]);
  expect(["NOFILE", "RTTIME"].map((name) => limitNames.indexOf(name))).toEqual([7, 15]);
});

test("a name that Linux does not have is refused", () => {
  for (const name of ["CAP_NONE", "CHOWN", "cap_chown", ""]) {
    expect(() => maskOf([name])).toThrow(`unknown capability ${name}`);
  }
});
