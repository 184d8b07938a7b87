import { expect, test } from "bun:test";
import { imageTree } from "../../../../src/cli/format/image-tree.ts";
import type { ImageSummary } from "../../../../src/docker/image-summary.ts";

const plain = { isTerminal: false, columns: 80 };
const manifest = (digit: string, platform: string, more: object = {}) => ({
  id: `sha256:${digit.repeat(64)}`,
  ...{ platform, available: true, contentSize: 4_000_000, totalSize: 12_000_000, containers: [] },
  ...{ mediaType: "application/vnd.oci.image.manifest.v1+json", bytes: 400 },
  ...more,
});
const absent = { available: false, contentSize: 0, totalSize: 0 };
const image: ImageSummary = {
  ...{ id: `sha256:${"1".repeat(64)}`, digests: [], size: 8_000_000, labels: {}, damaged: false },
  tags: ["alpine:3", "alpine:latest"].map((name) => ({ name, digest: "" })),
  ...{ created: "2025-01-02T03:04:05Z", containers: 1 },
  manifests: [manifest("2", "linux/amd64", { containers: ["c"] }), manifest("3", "linux/arm64", absent)],
};

test("images, and below each its platforms: what they take, and whether a container has them", () => {
  const nameless = { ...image, id: `sha256:${"4".repeat(64)}`, tags: [], created: "", manifests: [] };
  expect(imageTree([nameless, image], plain)).toBe(
    [
      "IMAGE            ID             DISK USAGE   CONTENT SIZE   USED",
      "alpine:3",
      "alpine:latest    111111111111         12MB            4MB    ✔",
      "├─ linux/amd64   222222222222         12MB            4MB    ✔",
      "└─ linux/arm64   333333333333           0B             0B",
      "",
      "<none>           444444444444           0B             0B",
      "",
    ].join("\n"),
  );
  expect(imageTree([], plain)).toBe("IMAGE   ID             DISK USAGE   CONTENT SIZE   USED\n");
});

test("where there is little room columns go, the last first, and names are cut", () => {
  const widths = [60, 40, 20, 3].map((columns) => {
    const lines = imageTree([image], { ...plain, columns }).split("\n");
    for (const line of lines) expect([...line].length).toBeLessThanOrEqual(Math.max(20, columns));
    return lines[0]!.trim().split(/ {2,}/).length;
  });
  expect(widths).toEqual([4, 3, 1, 1]);
  const long = { ...image, tags: [{ name: `registry.example/${"x".repeat(100)}:1`, digest: "" }] };
  expect(imageTree([long], plain).split("\n")[1]).toContain("…");
});

test("on a terminal names stand out and what is not here is faint; a name does nothing to it", () => {
  const text = imageTree([image], { isTerminal: true, columns: 80 });
  expect(text).toContain("\u001b[1;4;34malpine:3\u001b[0m");
  expect(text).toContain("\u001b[2m└─ linux/arm64\u001b[0m");
  const evil = { ...image, manifests: [manifest("2", "a\u001b[31m\u202e/b")] };
  expect(imageTree([evil], plain)).toContain("└─ a\\u001b[31m\\u202e/b");
});
