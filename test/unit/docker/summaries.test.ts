import { describe, expect, test } from "bun:test";
import {
  type ContainerSummary,
  containerListElement,
  containerSummary,
  statusText,
} from "../../../src/docker/container-summary.ts";
import {
  type ImageSummary,
  imageLines,
  imageListElement,
  imageSummary,
} from "../../../src/docker/image-summary.ts";
import { formatSeconds, secondsOf } from "../../../src/docker/time.ts";

const json = <T>(value: T): T => JSON.parse(JSON.stringify(value));

describe("containers", () => {
  const summary: ContainerSummary = {
    id: "c".repeat(64),
    name: "web",
    image: "alpine",
    imageId: `sha256:${"1".repeat(64)}`,
    command: "sh -c true",
    created: "2025-01-02T03:04:05Z",
    state: "exited",
    status: "Exited (3) 2 hours ago",
    ports: [
      { protocol: "tcp", port: 80, host: { address: "0.0.0.0", port: 8080 } },
      { protocol: "udp", port: 53, host: undefined },
    ],
    details: {
      labels: { a: "b" },
      networkMode: "none",
      networks: ["none"],
      mounts: [
        { type: "bind", source: "/a", destination: "/b", readonly: true, options: ["rslave"] },
        { type: "volume", name: "v", source: "/v/_data", destination: "/v", readonly: false, options: [] },
      ],
      platform: "",
    },
    size: { writable: 12, virtual: 3000 },
  };

  test("an element of the API's list", () => {
    expect(containerListElement(summary)).toEqual({
      Id: "c".repeat(64),
      Names: ["/web"],
      Image: "alpine",
      ImageID: `sha256:${"1".repeat(64)}`,
      Command: "sh -c true",
      Created: 1735787045,
      Ports: [
        { IP: "0.0.0.0", PrivatePort: 80, PublicPort: 8080, Type: "tcp" },
        { PrivatePort: 53, Type: "udp" },
      ],
      SizeRw: 12,
      SizeRootFs: 3000,
      Labels: { a: "b" },
      State: "exited",
      Status: "Exited (3) 2 hours ago",
      HostConfig: { NetworkMode: "none" },
      NetworkSettings: { Networks: { none: {} } },
      Mounts: [
        { Type: "bind", Source: "/a", Destination: "/b", Mode: "ro", RW: false, Propagation: "rslave" },
        {
          Type: "volume",
          Name: "v",
          Source: "/v/_data",
          Destination: "/v",
          Driver: "local",
          Mode: "z",
          RW: true,
          Propagation: "",
        },
      ],
    });
  });

  test("there and back it is the same", () => {
    expect(containerSummary(json(containerListElement(summary)))).toEqual(summary);
    const { size: _, ...rest } = summary;
    expect(containerSummary(json(containerListElement(rest)))).toEqual(rest);
    const element = containerListElement(summary);
    expect(containerListElement(containerSummary(json(element)))).toEqual(element);
  });

  test("without details there are none", () => {
    const { details: _, ...rest } = summary;
    const element = containerListElement(rest);
    expect(element).toMatchObject({ Labels: {}, Mounts: [], NetworkSettings: { Networks: {} } });
  });

  const now = Date.parse("2025-01-01T00:00:00Z");
  const never = "0001-01-01T00:00:00Z";
  test.each([
    [{ status: "created", startedAt: never, finishedAt: never }, "Created"],
    [{ status: "running", startedAt: "2024-12-31T23:57:00Z", finishedAt: never }, "Up 3 minutes"],
    [{ status: "running", startedAt: never, finishedAt: never }, "Up"],
    [
      { status: "exited", startedAt: never, finishedAt: "2024-12-31T23:00:00Z" },
      "Exited (3) About an hour ago",
    ],
    [{ status: "exited", startedAt: never, finishedAt: never }, "Exited (3)"],
  ])("%j is %s", (state, text) => expect(statusText({ exitCode: 3, ...state }, now)).toBe(text));
});

describe("images", () => {
  const digest = `sha256:${"2".repeat(64)}`;
  const other = `sha256:${"3".repeat(64)}`;
  const summary: ImageSummary = {
    id: `sha256:${"1".repeat(64)}`,
    tags: [
      { name: "localhost:5000/a/alpine:3.20", digest },
      { name: "alpine:3", digest: "" },
    ],
    digests: [`localhost:5000/a/alpine@${digest}`, `elsewhere/alpine@${other}`],
    created: "2025-01-02T03:04:05Z",
    size: 7_000_000,
    labels: { a: "b" },
    containers: 2,
    damaged: false,
  };

  test("an element of the API's list", () => {
    expect(imageListElement(summary)).toEqual({
      Id: summary.id,
      ParentId: "",
      RepoTags: ["localhost:5000/a/alpine:3.20", "alpine:3"],
      RepoDigests: summary.digests,
      Created: 1735787045,
      Size: 7_000_000,
      SharedSize: -1,
      Containers: 2,
      Labels: { a: "b" },
    });
  });

  const manifest = {
    ...{ id: digest, mediaType: "application/vnd.oci.image.manifest.v1+json", bytes: 400 },
    ...{ platform: "linux/amd64", available: true, contentSize: 10, totalSize: 30, containers: ["c"] },
  };

  test("an element with its platforms", () => {
    const platform = { architecture: "amd64", os: "linux" };
    expect(imageListElement({ ...summary, manifests: [manifest] }).Manifests).toEqual([
      {
        ID: digest,
        Descriptor: { mediaType: manifest.mediaType, digest, size: 400, platform },
        ...{ Available: true, Size: { Content: 10, Total: 30 }, Kind: "image" },
        ImageData: { Platform: platform, Containers: ["c"], Size: { Unpacked: 20 } },
      },
    ]);
  });

  test("there and back it is the same", () => {
    for (const each of [
      summary,
      { ...summary, tags: [] },
      { ...summary, sharedSize: 7, manifests: [manifest, { ...manifest, platform: "linux/arm/v7" }] },
      { ...summary, tags: [], digests: [], created: "" },
    ]) {
      expect(imageSummary(json(imageListElement(each)))).toEqual(each);
    }
  });

  test("what other engines say of an image without a name", () => {
    const element = {
      ...imageListElement(summary),
      RepoTags: ["<none>:<none>"],
      RepoDigests: ["<none>@<none>"],
    };
    expect(imageSummary(element)).toMatchObject({ tags: [], digests: [] });
    const nulls = { ...element, RepoTags: null, RepoDigests: null, Labels: null };
    expect(imageSummary(nulls as never)).toMatchObject({ tags: [], digests: [], labels: {} });
  });

  test("lines", () => {
    expect(imageLines(summary)).toEqual([
      { repository: "localhost:5000/a/alpine", tag: "3.20", digest },
      { repository: "alpine", tag: "3", digest: "<none>" },
    ]);
    expect(imageLines({ ...summary, tags: [] })).toEqual([
      { repository: "localhost:5000/a/alpine", tag: "<none>", digest },
      { repository: "elsewhere/alpine", tag: "<none>", digest: other },
    ]);
    expect(imageLines({ tags: [], digests: [] })).toEqual([
      { repository: "<none>", tag: "<none>", digest: "<none>" },
    ]);
  });
});

test("times in whole seconds", () => {
  expect(secondsOf("2025-01-02T03:04:05.999999999Z")).toBe(1735787045);
  expect(formatSeconds(1735787045)).toBe("2025-01-02T03:04:05Z");
  expect([secondsOf(""), formatSeconds(0)]).toEqual([0, ""]);
});
