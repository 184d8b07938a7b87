/**
 * What the tests use of Debian, installed where that can be done: apt-get is there, and we are root. Elsewhere, and with
 * RT_TEST_INSTALL=0, what needs a missing program is skipped and named (support/root.ts). No service is started or
 * stopped: a package's own would be refused by a policy file, which is taken away again.
 */
import { existsSync, rmSync, writeFileSync } from "node:fs";

/** By package: what it is for. */
const packages: Record<string, string> = {
  apparmor: "its parser makes of a profile what the third kernel takes",
  attr: "getfattr, setfattr",
  "busybox-static": "the small image",
  "ca-certificates": "a host's certificates",
  curl: "asks the API of a daemon",
  debootstrap: "the large image",
  "dnsmasq-base": "a DHCP server, and one of names",
  "docker-compose": "a client of the daemon's",
  "docker-registry": "a real registry",
  e2fsprogs: "disks for the second kernel",
  file: "what the executable is said to be",
  iproute2: "ip: hosts, routers and neighbours of networks",
  jq: "a program to pack",
  kmod: "loads modules in the second kernel",
  "libarchive-tools": "bsdtar: layers that it writes",
  "libcap2-bin": "setcap, getcap",
  musl: "a host without glibc",
  nftables: "nft: shows the firewall's rules, and flushes them as others do",
  "openssh-client": "ssh: images from host to host",
  "openssh-server": "sshd, on loopback: the other host",
  passt: "pasta: the network of an ordinary user's containers",
  procps: "ps, as a witness",
  python3: "tarfile: layers that it writes",
  "python3-docker": "a client of the daemon's: Docker's SDK",
  "qemu-system-x86": "boots Debian's cloud kernel, with rt as its /init",
  "qemu-user": "other processors: arm64, and one that is too old",
  runc: "the runtime that the lifecycle is compared with",
  secilc: "makes a policy for the third kernel",
  skopeo: "puts images into the registry",
  slirp4netns: "that network, where there is no pasta",
  strace: "what a command asks the kernel for",
  systemd: "the first program of the second kernel, where containers are its units",
  tmux: "a real terminal",
  uidmap: "newuidmap: the subordinate ids of an ordinary user",
  "user-mode-linux": "the second kernel: 6.1, cgroup v2",
};

/**
 * Programs that many a machine has from elsewhere, which stay as they are; and where there is none, the packages that have them in
 * one release of Debian or another, the first of which apt knows is taken.
 */
const programs: Record<string, string[]> = {
  // The command line alone, where it is a package; else all of Docker, whose service is not started.
  docker: ["docker-cli", "docker.io"],
  node: ["nodejs"],
};

/** Downloaded by the tests themselves, so apt's lists must know it. */
const listed = "linux-image-cloud-amd64";

const policyFile = "/usr/sbin/policy-rc.d";

/** Says in one line what it does; a failure is told, and then the tests skip (or fail) for what is missing. */
export async function installPackages(): Promise<void> {
  if (process.env.RT_TEST_INSTALL === "0" || process.getuid?.() !== 0 || !Bun.which("apt-get")) return;
  const missing = await notInstalled();
  const known = await isKnown(listed);
  if (missing.length === 0 && known) return;
  const what = missing.length > 0 ? `installing ${missing.join(" ")}` : "updating apt's lists";
  console.log(`Debian's packages that the tests use: ${what} (RT_TEST_INSTALL=0 declines)`);
  const options = ["-q", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"];
  await succeed(["apt-get", ...options, "update"]);
  if (missing.length > 0) {
    using _policy = withoutServices();
    const install = ["apt-get", ...options, "install", "-y", "--no-install-recommends"];
    await succeed([...install, ...(await Promise.all(missing.map(packageOf)))]);
  }
}

async function isKnown(name: string): Promise<boolean> {
  return (await capture(["apt-cache", "show", name])).code === 0;
}

/** Of a program, that; a package is its own. */
async function packageOf(missing: string): Promise<string> {
  const choice = programs[missing] ?? [];
  for (const each of choice) if (await isKnown(each)) return each;
  return choice.at(-1) ?? missing;
}

/** Packages, and those of `programs` that are not in the path. */
async function notInstalled(): Promise<string[]> {
  const names = Object.keys(packages);
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg's format, not a template of ours
  const query = ["dpkg-query", "-W", "-f=${Package} ${db:Status-Status}\\n", ...names];
  const { output } = await capture(query);
  const installed = new Set(
    output.split("\n").flatMap((line) => (line.endsWith(" installed") ? [line.split(" ")[0]!] : [])),
  );
  const absent = Object.keys(programs).filter((name) => Bun.which(name) === null);
  return [...names.filter((name) => !installed.has(name)), ...absent];
}

/** Debian asks this file whether a service may start; 101 is no. One that is there already stays as it is. */
function withoutServices(): Disposable {
  if (existsSync(policyFile)) return { [Symbol.dispose]: () => {} };
  writeFileSync(policyFile, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  const remove = () => rmSync(policyFile, { force: true });
  process.on("exit", remove);
  const onSignal = () => process.exit(130);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
  return {
    [Symbol.dispose]: () => {
      remove();
      process.off("exit", remove);
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.off(signal, onSignal);
    },
  };
}

async function succeed(command: string[]): Promise<void> {
  const { code, output } = await capture(command);
  if (code === 0) return;
  console.log(`${command.join(" ")} ended with ${code}; tests that need what is missing are skipped:`);
  console.log(output.trim().split("\n").slice(-10).join("\n"));
}

async function capture(command: string[]): Promise<{ code: number; output: string }> {
  const child = Bun.spawn(command, {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" },
  });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, output: stdout + stderr };
}
