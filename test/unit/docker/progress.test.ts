import { expect, test } from "bun:test";
import { failureLine, loadLines, pullLines, pushLines } from "../../../src/docker/progress.ts";

const layer = `sha256:654b142e9ebf${"0".repeat(52)}`;
const id = "654b142e9ebf";
const move = { layer, current: 36_398, total: 1_088_858 };

test("a layer that comes", () => {
  const words = (["waiting", "exists", "done"] as const).flatMap((status) => pullLines({ ...move, status }));
  expect(words).toEqual([
    { status: "Pulling fs layer", progressDetail: {}, id },
    { status: "Already exists", progressDetail: {}, id },
    { status: "Pull complete", progressDetail: {}, id },
  ]);
  // What docker 28 wrote of the same layer.
  expect(pullLines({ ...move, status: "downloading" })).toEqual([
    {
      status: "Downloading",
      progressDetail: { current: 36_398, total: 1_088_858 },
      progress: "[=>                                                 ]   36.4kB/1.089MB",
      id,
    },
  ]);
  const [complete, extracting] = pullLines({ ...move, status: "extracting", current: move.total });
  expect(complete).toMatchObject({ status: "Download complete", id });
  expect(extracting?.progress).toBe(`[${"=".repeat(50)}>]  1.089MB/1.089MB`);
});

test("a bar of what nobody knows the length of, and of what is longer than was said", () => {
  const bar = (current: number, total: number) =>
    pullLines({ layer, status: "downloading", current, total })[0]?.progress;
  expect(bar(12, 0)).toBe("     12B");
  expect(bar(12, 6)).toBe(`[${"=".repeat(50)}>]      12B`);
});

test("a layer that goes", () => {
  const all = (["compressed", "preparing", "waiting", "sent", "exists"] as const).flatMap((status) =>
    pushLines({ ...move, status }),
  );
  expect(all.map(({ status }) => status)).toEqual(["Preparing", "Waiting", "Pushed", "Layer already exists"]);
  expect(pushLines({ ...move, status: "mounted", from: "127.0.0.1:5000/team/bb" })).toEqual([
    { status: "Mounted from team/bb", progressDetail: {}, id },
  ]);
  expect(pushLines({ ...move, status: "sending" })[0]).toMatchObject({ status: "Pushing", id });
  expect(pushLines({ ...move, status: "compressing" })[0]).toMatchObject({ status: "Compressing", id });
});

test("a layer of an archive, and what went wrong", () => {
  expect(loadLines({ ...move, status: "waiting" })).toEqual([]);
  expect(loadLines({ ...move, status: "extracting" })[0]).toMatchObject({ status: "Loading layer", id });
  expect(failureLine({ message: "no" })).toEqual({ errorDetail: { message: "no" }, error: "no" });
  expect(failureLine({ message: "no", code: "conflict" })).toMatchObject({ code: "conflict" });
});
