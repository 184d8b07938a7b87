/**
 * The images that tests pull, as OCI layouts made once and kept (see scratch.ts):
 *
 *   busyboxLayout()   "latest": Debian's static busybox with its applets, users root, app (1000, groups) and nobody
 *   helloLayout()     "latest": an index of linux/amd64, linux/arm64 and an unknown/unknown attestation; one layer, the prober
 *   debianLayout()    (debian.ts)
 */
import { chmodSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { run } from "./command.ts";
import { hostArchitecture, LayoutWriter, mediaTypes, tarLayer } from "./layout.ts";
import { probeBinary } from "./probe.ts";
import { tool } from "./root.ts";
import { fixture } from "./scratch.ts";

const passwd = [
  "root:x:0:0:root:/root:/bin/sh",
  "app:x:1000:1000:an app:/home/app:/bin/sh",
  "nobody:x:65534:65534:nobody:/:/bin/false",
];
const group = ["root:x:0:", "audio:x:29:app", "app:x:1000:", "staff:x:50:app,root", "nogroup:x:65534:"];

/** Also the key of what is made from it: a changed recipe makes a new fixture. */
const recipe = Bun.file(import.meta.path).text();

export async function busyboxLayout(): Promise<string> {
  const busybox = tool("busybox");
  if (busybox === undefined) throw new Error("no busybox (apt-get install busybox-static)");
  const key = `${await recipe}${await run(["sha256sum", busybox, await probeBinary()])}`;
  return fixture("busybox", key, async (dir) => {
    const tree = join(dir, "tree");
    mkdirSync(join(tree, "bin"), { recursive: true });
    for (const each of [
      "dev",
      "etc",
      "home/app",
      "proc",
      "root",
      "run",
      "sbin",
      "sys",
      "tmp",
      "usr/bin",
      "usr/sbin",
      "var",
    ]) {
      mkdirSync(join(tree, each), { recursive: true });
    }
    chmodSync(join(tree, "tmp"), 0o1777);
    copyFileSync(busybox, join(tree, "bin/busybox"));
    copyFileSync(await probeBinary(), join(tree, "bin/probe"));
    for (const applet of (await run([busybox, "--list-full"])).trim().split("\n")) {
      if (basename(applet) === "busybox") continue;
      mkdirSync(join(tree, dirname(applet)), { recursive: true });
      symlinkSync("/bin/busybox", join(tree, applet));
    }
    writeFileSync(join(tree, "etc/passwd"), `${passwd.join("\n")}\n`);
    writeFileSync(join(tree, "etc/group"), `${group.join("\n")}\n`);
    symlinkSync("../run", join(tree, "var/run"));
    const app = ["--owner=0", "--group=0", "--mtime=2025-01-01 00:00:00Z"];
    const layout = new LayoutWriter(join(dir, "layout"));
    await layout.image("latest", {
      layers: [await tarLayer(tree, app)],
      config: { Cmd: ["sh"], Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"] },
    });
    await layout.close();
    await run(["rm", "-rf", tree]);
  }).then((dir) => join(dir, "layout"));
}

export async function helloLayout(): Promise<string> {
  const native = await probeBinary();
  const foreign = await probeBinary(hostArchitecture() === "amd64" ? "aarch64" : "x86_64");
  const dir = await fixture("hello", `${await recipe}${native}${foreign}`, async (into) => {
    const layout = new LayoutWriter(join(into, "layout"));
    const config = { Entrypoint: ["/probe"], Env: ["PATH=/"] };
    const image = async (architecture: "amd64" | "arm64") => {
      const tree = join(into, architecture);
      mkdirSync(tree);
      copyFileSync(architecture === hostArchitecture() ? native : foreign, join(tree, "probe"));
      const layers = [await tarLayer(tree, ["--owner=0", "--group=0", "--mtime=2025-01-01 00:00:00Z"])];
      const descriptor = await layout.image(null, { architecture, layers, config });
      return architecture === "arm64"
        ? { ...descriptor, platform: { os: "linux", architecture, variant: "v8" } }
        : descriptor;
    };
    const arm64 = await image("arm64");
    const amd64 = await image("amd64");
    // As buildkit attaches provenance: an image that no platform matches, and that cannot run.
    const attestation = await layout.image(null, {
      os: "unknown",
      architecture: "unknown",
      layers: [],
      config: {},
    });
    const annotations = {
      "vnd.docker.reference.type": "attestation-manifest",
      "vnd.docker.reference.digest": amd64.digest,
    };
    await layout.index("latest", [
      { ...attestation, annotations, mediaType: mediaTypes.manifest },
      arm64,
      amd64,
    ]);
    await layout.close();
  });
  return join(dir, "layout");
}
