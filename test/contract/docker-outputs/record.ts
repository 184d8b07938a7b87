/**
 * Records docker's own answers:  bun test/contract/docker-outputs/record.ts TREE
 *
 * TREE is a root file system with docker, dockerd, containerd, runc and the usual programs in it. The recording needs root, and
 * no network. What was recorded lies beside this file.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { blob, type Manifest, tagged } from "../../bench/debian-image.ts";
import { busyboxLayout } from "../../support/images.ts";
import { searchPath } from "../../support/root.ts";
import { until } from "../../support/wait.ts";
import { follow } from "./follow.ts";

const tree = process.argv[2];
if (!tree) throw new Error("record.ts TREE");
/**
 * Runs a command in the tree, with a directory of the host's as /host. The tree is the root of a mount namespace, and not a chroot's:
 * from a chroot an `exec` of docker's would join its container with the namespace's own root, which is the host's.
 */
const script = `set -e
mount --make-rprivate /
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount --rbind /dev dev
mount -t sysfs sysfs sys
mount -t cgroup2 none sys/fs/cgroup
mkdir -p host
mount --bind "$2" host
shift 2
pivot_root . mnt
umount -l /mnt
exec "$@"`;
const dir = mkdtempSync(join(tmpdir(), "docker-outputs-"));
const enter = ["unshare", "-m", "sh", "-c", script, "enter", resolve(tree), dir];
const env = { PATH: searchPath };
const image = "localhost/layout";
const client = "docker -H unix:///host/docker.sock";

async function type(words: string) {
  const child = Bun.spawn([...enter, "sh", "-c", `cd /; exec ${client} ${words}`], {
    env,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { stdout, stderr, code };
}

const places =
  "--data-root /host/data --exec-root /host/exec --pidfile /host/pid -H unix:///host/docker.sock";
const quiet = "--iptables=false --ip6tables=false --bridge=none --storage-driver overlay2";
const daemon = Bun.spawn([...enter, "sh", "-c", `exec dockerd ${places} ${quiet} >/host/log 2>&1`], { env });
try {
  await until("dockerd answers", async () => (await type("version")).code === 0);
  const layout = await busyboxLayout();
  const manifest: Manifest = await blob(layout, await tagged(layout, "latest")).json();
  writeFileSync(join(dir, "image.tar"), await blob(layout, manifest.layers[0]!.digest).bytes());
  const changes = [`'CMD ["sh"]'`, "'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'"];
  const imported = await type(
    `import ${changes.map((each) => `-c ${each}`).join(" ")} /host/image.tar ${image}`,
  );
  if (imported.code !== 0) throw new Error(imported.stderr);
  const answers = await follow(type, image);
  const version = (await type("version -f '{{.Server.Version}}'")).stdout.trim();
  const recorded = { docker: version, answers: Object.fromEntries(answers) };
  writeFileSync(join(import.meta.dir, "docker-28.json"), `${JSON.stringify(recorded, null, 1)}\n`);
} finally {
  daemon.kill("SIGTERM");
  await daemon.exited;
  rmSync(dir, { recursive: true, force: true });
}
