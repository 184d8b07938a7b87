import { expect, test } from "bun:test";
import {
  type ContainerDescription,
  type ContainerFacts,
  containerInspect,
} from "../../../src/docker/container-inspect.ts";
import { withAllAliases } from "../../../src/docker/container-inspect-versions.ts";
import { imageDeleteText } from "../../../src/docker/image-delete.ts";
import { imageInspect } from "../../../src/docker/image-inspect.ts";
import { defaultSettings } from "../../../src/settings/container-settings.ts";
import { plainWish } from "../../../src/settings/network.ts";
import { containerRecord, imageRecord } from "../store/samples.ts";

/** As scripts read it, field by field in Docker's order; RT_UPDATE_GOLDEN=1 accepts a change that is meant. */
async function golden(name: string, value: unknown): Promise<void> {
  const file = Bun.file(new URL(`golden/${name}.json`, import.meta.url));
  const text = `${JSON.stringify(value, undefined, 2)}\n`;
  if (process.env.RT_UPDATE_GOLDEN) await file.write(text);
  expect(text).toBe(await file.text());
}

const facts: ContainerFacts = {
  id: "c".repeat(64),
  name: "web",
  created: "2025-01-02T03:04:05.123456789Z",
  imageId: `sha256:${"1".repeat(64)}`,
  reference: "alpine",
  state: {
    status: "exited",
    pid: 0,
    exitCode: 3,
    error: "",
    startedAt: "2025-01-02T03:04:06Z",
    finishedAt: "2025-01-02T03:04:07Z",
  },
};
const place: Omit<ContainerDescription, "settings"> = {
  driver: "overlay",
  platform: "linux/amd64",
  filesDirectory: "/run/rt/containers/c",
  logPath: "/var/lib/rt/containers/c/c-json.log",
  rootfs: { type: "overlay", lower: ["/2", "/1"], upper: "/u", work: "/w" },
  endpoints: [],
};

test("a plain container", async () => {
  await golden("container-plain", containerInspect(facts, { ...place, settings: containerRecord() }));
});

test("a container that was asked for everything", async () => {
  const file = Bun.file(new URL("../container/golden/container-1-full.json", import.meta.url));
  // What is asked for since then is as it was not asked for.
  const settings = { ...defaultSettings(), ...(await file.json()) };
  await golden("container-full", containerInspect(facts, { ...place, settings }));
});

test("clients of before 1.45 find all its names among the aliases of networks that people made", () => {
  const networks = ["bridge", "front"].map((network) => ({ ...plainWish(network), aliases: ["api"] }));
  const settings = { ...containerRecord(), networkMode: "bridge" as const, networks, hostname: "box" };
  const document = containerInspect(facts, { ...place, settings });
  const { NetworkSettings } = withAllAliases(document) as Extract<
    typeof document,
    { NetworkSettings: object }
  >;
  expect(NetworkSettings.Networks).toMatchObject({
    bridge: { Aliases: ["api"] },
    front: { Aliases: ["api", "cccccccccccc", "box"] },
  });
  const damaged = containerInspect(facts, undefined);
  expect(withAllAliases(damaged)).toEqual(damaged);
});

test("one that runs", () => {
  const running = { ...facts, state: { ...facts.state, status: "running", pid: 42 } };
  const { State } = containerInspect(running, undefined);
  expect(State).toMatchObject({ Status: "running", Running: true, Pid: 42 });
});

test("of a damaged one what is known", () => {
  expect(containerInspect(facts, undefined)).toEqual({
    Id: facts.id,
    Created: facts.created,
    State: expect.objectContaining({ Status: "exited", Running: false, ExitCode: 3 }),
    Image: facts.imageId,
    Name: "/web",
    Config: { Image: "alpine" },
  });
  const image = { id: facts.imageId, tags: ["alpine:3"], digests: [] };
  expect(imageInspect(image, undefined)).toEqual({
    Id: facts.imageId,
    RepoTags: ["alpine:3"],
    RepoDigests: [],
  });
});

test("an image", async () => {
  const image = { id: facts.imageId, tags: ["alpine:3"], digests: ["alpine@sha256:0"] };
  const record = imageRecord("alpine", {
    platform: { os: "linux", architecture: "arm64", variant: "v8" },
    created: "",
  });
  await golden(
    "image",
    imageInspect(image, {
      ...record,
      ...{ driver: "overlay", layers: ["/s/b/diff", "/s/a/diff"], comment: "why", dockerVersion: "" },
      ...{ tagged: Date.UTC(2025, 0, 2), descriptor: record.manifest },
    }),
  );
});

test("what is gone", () => {
  expect([{ Untagged: "alpine:3" }, { Deleted: "sha256:1" }].map(imageDeleteText)).toEqual([
    "Untagged: alpine:3",
    "Deleted: sha256:1",
  ]);
});
