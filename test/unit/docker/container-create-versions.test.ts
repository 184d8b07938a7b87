import { describe, expect, test } from "bun:test";
import { asOfVersion } from "../../../src/docker/container-create-versions.ts";

/** Of minor versions of API 1. */
function asOf(minor: number, document: unknown): ReturnType<typeof asOfVersion> {
  return asOfVersion(document, (version) => minor < Number(version.split(".")[1]));
}

const bind = { Type: "bind", Source: "/a", Target: "/a" };

describe("what older clients mean is said as the newest would", () => {
  test.each<[what: string, minor: number, document: object, meant: object]>([
    ["a word is a list", 51, { Cmd: "ls", Entrypoint: "sh" }, { Cmd: ["ls"], Entrypoint: ["sh"] }],
    ["1.51 says what it means", 51, { HostConfig: { IpcMode: "" } }, { HostConfig: { IpcMode: "" } }],
    ["ipc was shareable", 39, { HostConfig: {} }, { HostConfig: { IpcMode: "shareable" } }],
    ["unless it was not", 39, { HostConfig: { IpcMode: "none" } }, { HostConfig: { IpcMode: "none" } }],
    [
      "no annotations",
      42,
      { HostConfig: { Annotations: { a: "b" }, Init: true } },
      { HostConfig: { Init: true } },
    ],
    [
      "binds below a read-only one stayed writable",
      43,
      { HostConfig: { Mounts: [{ ...bind, ReadOnly: true }] } },
      { HostConfig: { Mounts: [{ ...bind, ReadOnly: true, BindOptions: { ReadOnlyNonRecursive: true } }] } },
    ],
    [
      "options of another kind of mount were forgotten",
      41,
      { HostConfig: { Mounts: [{ ...bind, VolumeOptions: { NoCopy: true } }] } },
      { HostConfig: { Mounts: [bind] } },
    ],
    ["a check has no start interval", 43, { Healthcheck: { StartInterval: 5 } }, { Healthcheck: {} }],
    [
      "no priority of gateways",
      47,
      { NetworkingConfig: { EndpointsConfig: { a: { GwPriority: 5 } } } },
      { NetworkingConfig: { EndpointsConfig: { a: {} } } },
    ],
    [
      "a port without a binding goes where there is room",
      51,
      { HostConfig: { PortBindings: { "80/tcp": [], "81/tcp": null } } },
      { HostConfig: { PortBindings: { "80/tcp": [{}], "81/tcp": [{}] } } },
    ],
    [
      "the one network's address was the container's",
      43,
      { MacAddress: "02:00:00:00:00:01", HostConfig: { NetworkMode: "front" } },
      {
        HostConfig: { NetworkMode: "front" },
        NetworkingConfig: { EndpointsConfig: { front: { MacAddress: "02:00:00:00:00:01" } } },
      },
    ],
  ])("%s", (_, minor, document, meant) => {
    expect(asOf(minor, document)).toEqual({ document: meant, warnings: [] });
  });

  test("a container's own address is warned of where there is a better way", () => {
    const { document, warnings } = asOf(51, { MacAddress: "02:00:00:00:00:01" });
    expect(document).toEqual({
      NetworkingConfig: { EndpointsConfig: { default: { MacAddress: "02:00:00:00:00:01" } } },
    });
    expect(warnings).toEqual([expect.stringContaining("MacAddress field is now deprecated")]);
  });

  test.each<[number, object, string]>([
    [43, { NetworkingConfig: { EndpointsConfig: { a: {}, b: {} } } }, "multiple network endpoints: a, b"],
    [
      51,
      { HostConfig: { Mounts: [{ ...bind, VolumeOptions: { NoCopy: true } }] } },
      "VolumeOptions must not be",
    ],
    [43, { HostConfig: { Mounts: [{ ...bind, BindOptions: { ReadOnlyForceRecursive: true } }] } }, "v1.44"],
    [44, { HostConfig: { Mounts: [{ Type: "volume", VolumeOptions: { Subpath: "a" } }] } }, "v1.45"],
    [47, { HostConfig: { Mounts: [{ Type: "image" }] } }, "v1.48"],
    [43, { MacAddress: "02:00:00:00:00:01", HostConfig: { NetworkMode: "host" } }, "conflicting options"],
    [51, { MacAddress: "a", NetworkingConfig: { EndpointsConfig: { x: {} } } }, "must match the identity"],
  ])("1.%i: %j is refused", (minor, document, why) => {
    expect(() => asOf(minor, document)).toThrow(expect.objectContaining({ code: "invalid-argument" }));
    expect(() => asOf(minor, document)).toThrow(why);
  });

  test.each<[unknown]>([
    [null],
    [[]],
    ["x"],
    [{ HostConfig: [], NetworkingConfig: 1, Cmd: 5, Healthcheck: "x" }],
    [{ HostConfig: { Mounts: [null, 1, []], PortBindings: [] }, NetworkingConfig: { EndpointsConfig: [1] } }],
    [{ NetworkingConfig: { EndpointsConfig: { a: null, b: 1 } } }],
  ])("what is of another type is left for who checks it: %j", (document) => {
    expect(asOf(51, document)).toEqual({ document, warnings: [] });
  });
});
