/** What `rt run` mounts: -v, --mount, --tmpfs. */
import { expect } from "bun:test";
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { plantCanary } from "../support/canary.ts";
import { factsNamed } from "../support/probe.ts";
import { containerTests, image, oneLine } from "./world.ts";

const { test, host } = containerTests(["getfattr"]);

function out(flags: string[], script: string): Promise<string> {
  return host().ok(["run", "--rm", ...flags, image, "sh", "-c", script]);
}

async function fails(flags: string[]): Promise<string> {
  const { stderr, code } = await host().rt(["run", "--rm", ...flags, image, "true"]);
  expect(code).toBe(125);
  return oneLine(stderr);
}

/** A directory of the host, made for one test. */
function shared(name: string): string {
  const dir = join(host().dir, name);
  mkdirSync(dir);
  writeFileSync(join(dir, "file"), "of the host\n");
  return dir;
}

test("-v of a directory: both sides see it", async () => {
  const dir = shared("both");
  expect(await out(["-v", `${dir}:/data`], "cat /data/file; echo of the container > /data/new")).toBe(
    "of the host\n",
  );
  expect(readFileSync(join(dir, "new"), "utf8")).toBe("of the container\n");
});

test("-v with ro, also below another mount in it", async () => {
  const dir = shared("readonly");
  mkdirSync(join(dir, "below"));
  await Bun.$`mount -t tmpfs below ${join(dir, "below")}`;
  try {
    const script = "touch /data/x || echo refused; touch /data/below/x || echo refused below";
    expect(await out(["-v", `${dir}:/data:ro`], `${script} 2>/dev/null`)).toContain("refused below\n");
    expect(existsSync(join(dir, "x"))).toBe(false);
    expect(existsSync(join(dir, "below/x"))).toBe(false);
  } finally {
    await Bun.$`umount ${join(dir, "below")}`;
  }
});

test("-v of a file", async () => {
  const file = join(shared("one"), "file");
  expect(await out(["-v", `${file}:/etc/motd:ro`], "cat /etc/motd; echo x > /etc/motd || true")).toBe(
    "of the host\n",
  );
  expect(readFileSync(file, "utf8")).toBe("of the host\n");
});

test("-v relative to the working directory of the caller", async () => {
  const dir = shared("relative");
  const { stdout } = await host().rt(["run", "--rm", "-v", "./:/data", image, "cat", "/data/file"], {
    cwd: dir,
  });
  expect(stdout).toBe("of the host\n");
});

test("-v makes a missing source, --mount does not", async () => {
  const dir = join(host().dir, "missing/deep");
  await out(["-v", `${dir}:/data`], "touch /data/x");
  expect(statSync(join(dir, "x")).isFile()).toBe(true);
  const none = join(host().dir, "none");
  const line = await fails(["--mount", `type=bind,src=${none},dst=/data`]);
  expect(line).toBe(`invalid mount config for type "bind": bind source path does not exist: ${none}`);
  expect(existsSync(none)).toBe(false);
  const beneathFile = join(dir, "x/y");
  expect(await fails(["-v", `${beneathFile}:/data`])).toStartWith(
    `error while creating mount source path '${beneathFile}': `,
  );
});

test("--mount type=bind, and readonly", async () => {
  const dir = shared("bind");
  const spec = `type=bind,source=${dir},target=/data`;
  expect(await out(["--mount", spec], "echo 1 > /data/one; cat /data/one")).toBe("1\n");
  expect(await out(["--mount", `${spec},readonly`], "echo 1 > /data/two 2>/dev/null || echo refused")).toBe(
    "refused\n",
  );
  expect(existsSync(join(dir, "two"))).toBe(false);
});

test("a named volume is shared by two containers and outlives both", async () => {
  expect(await out(["-v", "shared-volume:/data"], "echo first > /data/file; ls -A /data")).toBe("file\n");
  expect(await out(["--mount", "type=volume,src=shared-volume,dst=/other"], "cat /other/file")).toBe(
    "first\n",
  );
  expect(await out(["-v", "shared-volume:/data:ro"], "touch /data/x 2>/dev/null || cat /data/file")).toBe(
    "first\n",
  );
});

test("an empty volume takes what the image has there, unless it is asked not to", async () => {
  const passwd = await out([], "cat /etc/passwd");
  expect(await out(["-v", "seeded:/etc"], "cat /etc/passwd; echo mine > /etc/added")).toBe(passwd);
  // The second time it is not empty: it stays as it is.
  expect(await out(["-v", "seeded:/etc"], "cat /etc/added")).toBe("mine\n");
  expect(await out(["-v", "bare:/etc:nocopy"], "ls /etc | grep passwd || echo none")).toBe("none\n");
});

test("a failed run leaves no anonymous volume", async () => {
  await host().rt(["run", "--rm", "-v", "/x", "--entrypoint", "/nosuch", image]);
  const volumes = join(host().root, "volumes");
  const left = existsSync(volumes) ? readdirSync(volumes).filter((name) => name.length === 64) : [];
  expect(left).toEqual([]);
});

test("anonymous volumes differ, and go with --rm", async () => {
  const volumes = () => Bun.$`ls ${join(host().root, "volumes")}`.nothrow().text();
  const before = await volumes();
  expect(await out(["-v", "/data"], "touch /data/x; ls -A /data")).toBe("x\n");
  expect(await out(["-v", "/data"], "ls -A /data")).toBe("");
  expect(await volumes()).toBe(before);
});

test("rm -v takes a container's anonymous volumes, rm alone leaves them", async () => {
  const volumes = async () =>
    (await Bun.$`ls ${join(host().root, "volumes")}`.nothrow().quiet().text())
      .split("\n")
      .filter((name) => /^[0-9a-f]{64}$/.test(name));
  for (const [flags, left] of [
    [["-v"], 0],
    [[], 1],
  ] as const) {
    await host().ok(["run", "--name", "volumes", "-v", "/data", image, "true"]);
    expect(await volumes()).toHaveLength(1);
    await host().ok(["rm", ...flags, "volumes"]);
    expect(await volumes()).toHaveLength(left);
  }
});

test("--tmpfs with its defaults and options", async () => {
  const output = await out(
    ["--tmpfs", "/a", "--tmpfs", "/b:size=1m,mode=0700,exec", "--tmpfs", "/c:ro"],
    "probe mounts",
  );
  const mounts = new Map(
    factsNamed(output, "mount").map((line) => [line.split(" ")[0], line.split(" ").slice(1)]),
  );
  expect(mounts.get("/a")!.slice(0, 2)).toEqual(["tmpfs", "rw,nosuid,nodev,noexec,relatime"]);
  expect(mounts.get("/b")!.slice(0, 2)).toEqual(["tmpfs", "rw,nosuid,nodev,relatime"]);
  expect(mounts.get("/b")![3]).toContain("size=1024k,mode=700");
  expect(mounts.get("/c")![1]).toStartWith("ro,");
});

test("--mount type=tmpfs", async () => {
  const spec = "type=tmpfs,dst=/scratch,tmpfs-size=2m,tmpfs-mode=1770";
  expect(await out(["--mount", spec], "df -k /scratch | awk 'NR==2{print $2}'; stat -c %a /scratch")).toBe(
    "2048\n1770\n",
  );
});

test("--read-only with a tmpfs that can be written", async () => {
  const script =
    "touch /tmp/x && echo wrote; touch /x 2>/dev/null || echo refused; touch /etc/hosts 2>/dev/null; true";
  expect(await out(["--read-only", "--tmpfs", "/tmp"], script)).toBe("wrote\nrefused\n");
});

test("a mount over /dev/shm, /etc/hosts and below another takes the place of ours", async () => {
  const dir = shared("places");
  const flags = [
    "-v",
    `${dir}:/data`,
    "-v",
    `${dir}/file:/etc/hosts`,
    "--tmpfs",
    "/data/below",
    "--tmpfs",
    "/dev/shm:size=3m",
  ];
  const script = "cat /etc/hosts; df -k /dev/shm | awk 'NR==2{print $2}'; touch /data/below/x; ls -A /data";
  expect(await out(flags, script)).toBe("of the host\n3072\nbelow\nfile\n");
  expect(existsSync(join(dir, "below/x"))).toBe(false);
});

test("a host directory keeps its owner and mode", async () => {
  const dir = shared("owned");
  chownSync(dir, 1000, 1000);
  expect(
    await out(["-v", `${dir}:/data`, "-u", "app"], "touch /data/mine; stat -c %U:%G /data /data/mine"),
  ).toBe("app:app\napp:app\n");
});

test("a destination that is a link in the image or a volume stays inside", async () => {
  const canary = await plantCanary(host().dir);
  const dir = shared("links");
  symlinkSync(canary.dir, join(dir, "absolute"));
  symlinkSync(`../../../../../../../..${canary.dir}`, join(dir, "relative"));
  for (const name of ["absolute", "relative"]) {
    const flags = ["-v", `${dir}:/data`, "--tmpfs", `/data/${name}/sub`];
    const { stderr } = await host().rt([
      "run",
      "--rm",
      ...flags,
      image,
      "sh",
      "-c",
      `echo bad > /data/${name}/sub/x`,
    ]);
    expect(stderr).not.toContain("\n    at ");
  }
  await canary.check();
});

const refused: [string, string[]][] = [
  ["relative destination", ["-v", "/tmp:data"]],
  ["destination /", ["-v", "/tmp:/"]],
  ["source that is no volume's name", ["-v", "a/b:/data"]],
  ["bad mode", ["-v", "/tmp:/data:rx"]],
  ["too many fields", ["-v", "/tmp:/data:ro:rw"]],
  ["empty", ["-v", ""]],
  ["the same destination twice", ["-v", "/tmp:/data", "--tmpfs", "/data"]],
  ["mount type", ["--mount", "type=nfs,dst=/data"]],
  ["mount without target", ["--mount", "type=bind,src=/tmp"]],
  ["mount with a relative source", ["--mount", "type=bind,src=tmp,dst=/data"]],
  ["tmpfs option", ["--tmpfs", "/data:size=lots"]],
  ["tmpfs relative", ["--tmpfs", "data"]],
];

for (const [name, flags] of refused) {
  test(`refused: ${name}`, async () => {
    expect(await fails(flags)).toMatch(/-v|--volume|--mount|--tmpfs|mount/i);
  });
}
