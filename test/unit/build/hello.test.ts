import { expect, test } from "bun:test";
import { helloLayout } from "../../../build/hello.ts";

const probe = new Uint8Array(1000).fill(7);
const decode = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);

test("the layout is complete: each descriptor names a blob of its digest and size", () => {
  const files = helloLayout(probe, "amd64");
  expect(JSON.parse(decode(files.get("oci-layout")))).toEqual({ imageLayoutVersion: "1.0.0" });
  const index = JSON.parse(decode(files.get("index.json")));
  expect(index.manifests[0].annotations["org.opencontainers.image.ref.name"]).toBe("hello");
  const blob = (descriptor: { digest: string; size: number }) => {
    const content = files.get(`blobs/${descriptor.digest.replace(":", "/")}`)!;
    expect(content.length).toBe(descriptor.size);
    expect(`sha256:${new Bun.CryptoHasher("sha256").update(content).digest("hex")}`).toBe(descriptor.digest);
    return content;
  };
  const manifest = JSON.parse(decode(blob(index.manifests[0])));
  const config = JSON.parse(decode(blob(manifest.config)));
  blob(manifest.layers[0]);
  expect(config.config.Entrypoint).toEqual(["/probe"]);
  expect(config.rootfs.diff_ids).toEqual([manifest.layers[0].digest]);
  expect(files.size).toBe(5);
});

test("the same prober gives the same bytes; another architecture another config", () => {
  expect([...helloLayout(probe, "amd64").keys()]).toEqual([...helloLayout(probe, "amd64").keys()]);
  expect([...helloLayout(probe, "arm64").keys()]).not.toEqual([...helloLayout(probe, "amd64").keys()]);
});

test("GNU tar reads the layer: owner, modes, contents", async () => {
  const layer = [...helloLayout(probe, "amd64")].find(
    ([name, bytes]) => name.startsWith("blobs/") && bytes[257] === 0x75,
  )![1];
  const list = Bun.spawnSync(["tar", "--numeric-owner", "-tvf", "-"], { stdin: layer, env: { TZ: "UTC" } });
  expect(decode(list.stderr)).toBe("");
  const lines = decode(list.stdout)
    .trim()
    .split("\n")
    .map((line) => line.split(/\s+/));
  expect(lines.map(([mode, owner, size, , , name]) => `${mode} ${owner} ${size} ${name}`)).toEqual([
    "drwxr-xr-x 0/0 0 dev/",
    "drwxr-xr-x 0/0 0 etc/",
    "-rw-r--r-- 0/0 27 etc/group",
    "-rw-r--r-- 0/0 66 etc/passwd",
    "-rwxr-xr-x 0/0 1000 probe",
    "drwxr-xr-x 0/0 0 proc/",
    "drwx------ 0/0 0 root/",
    "drwxr-xr-x 0/0 0 sys/",
    "drwxrwxrwt 0/0 0 tmp/",
  ]);
  const passwd = Bun.spawnSync(["tar", "-xOf", "-", "etc/passwd"], { stdin: layer });
  expect(decode(passwd.stdout)).toContain("nobody:x:65534:65534:");
});
