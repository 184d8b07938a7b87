import { describe, expect, test } from "bun:test";
import { changesDocument, changesOfDocument } from "../../../src/docker/container-changes.ts";
import {
  type ContainerChange,
  containerUpdate,
  parseContainerUpdate,
} from "../../../src/docker/container-update.ts";

describe("POST /containers/NAME/update", () => {
  test.each<[string, ContainerChange]>([
    ["nothing", {}],
    ["a policy", { restart: { name: "on-failure", retries: 3 } }],
    ["no policy", { restart: { name: "no", retries: 0 } }],
    ["limits", { resources: { memory: 64 << 20, memorySwap: -1, pidsLimit: -1, cpuShares: 512 } }],
    ["swap alone, as there may be a limit already", { resources: { memorySwap: 128 << 20 } }],
    ["bandwidth, and none", { bandwidth: { bandwidthUp: 0, bandwidthDown: 1_000_000 } }],
    ["device rules", { deviceRules: ["c 1:3 rwm"] }],
  ])("there and back: %s", (_, change) => {
    expect(parseContainerUpdate(JSON.parse(JSON.stringify(containerUpdate(change))))).toEqual(change);
  });

  test("zero values say nothing, but 0 processes is no limit", () => {
    const zero = {
      Memory: 0,
      NanoCpus: 0,
      CpusetCpus: "",
      BlkioWeightDevice: null,
      PidsLimit: null,
      Later: 1,
    };
    expect(parseContainerUpdate({ ...zero, RestartPolicy: { Name: "", MaximumRetryCount: 0 } })).toEqual({});
    expect(parseContainerUpdate({ PidsLimit: 0 })).toEqual({ resources: { pidsLimit: -1 } });
    expect(parseContainerUpdate({ PidsLimit: -5 })).toEqual({ resources: { pidsLimit: -1 } });
  });

  test.each<[unknown, string]>([
    [[], "invalid update: record is not a map"],
    [{ Memory: "64m" }, "invalid update: Memory is not an integer"],
    [{ Memory: 1 }, "invalid Memory 1: Minimum memory limit allowed is 6MB"],
    [{ RestartPolicy: { Name: "sometimes" } }, 'invalid RestartPolicy "sometimes"'],
    [{ RestartPolicy: { Name: "always", MaximumRetryCount: 1 } }, "invalid RestartPolicy"],
    [{ DeviceCgroupRules: ["x"] }, "DeviceCgroupRules: invalid device cgroup format"],
    [{ NetworkBandwidth: { Up: "1" } }, "NetworkBandwidth.Up is not a natural number"],
  ])("%j is refused", (document, why) => {
    expect(() => parseContainerUpdate(document)).toThrow(
      expect.objectContaining({ code: "invalid-argument" }),
    );
    expect(() => parseContainerUpdate(document)).toThrow(why);
  });
});

test("changes of files, there and back; none is null", () => {
  const changes = [
    { path: "/a", kind: "C" },
    { path: "/a/b", kind: "A" },
    { path: "/c", kind: "D" },
  ] as const;
  const document = changesDocument(changes);
  expect(document).toEqual([
    { Path: "/a", Kind: 0 },
    { Path: "/a/b", Kind: 1 },
    { Path: "/c", Kind: 2 },
  ]);
  expect(changesOfDocument(document)).toEqual([...changes]);
  expect(changesDocument([])).toBeNull();
  expect(changesOfDocument(null)).toEqual([]);
});
