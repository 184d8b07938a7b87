/**
 * The one gate for what a test needs of the machine: root, and programs of Debian's packages.
 *
 *   const { test, beforeAll } = needs({ root: true, tools: ["skopeo"] });
 *   test("pulls what skopeo pushed", async () => { … });
 *
 * Where something is missing each test is skipped, loudly and counted; with RT_TEST_REQUIRE=1 (CI) it fails instead.
 */
import { test as bunTest, beforeAll as runBeforeAll } from "bun:test";

export interface Needs {
  root?: boolean;
  /** Programs that must be on PATH (with /usr/sbin and /sbin). */
  tools?: readonly string[];
  /** Anything else: a reason when it is missing. */
  also?: () => string | undefined;
}

/** `also` of tests that look at system calls (crash-at.ts). */
export const cannotTrace = () =>
  process.arch === "x64" ? undefined : "a processor whose system calls it knows (x86-64)";

type Body = () => undefined | Promise<unknown>;

export interface Gated {
  /** Everything needed is there. */
  readonly met: boolean;
  test(name: string, body: Body, timeoutMs?: number): void;
  beforeAll(body: Body, timeoutMs?: number): void;
}

const toolPackages: Record<string, string> = {
  bsdtar: "libarchive-tools",
  busybox: "busybox-static",
  dnsmasq: "dnsmasq-base",
  docker: "docker.io",
  "linux.uml": "user-mode-linux",
  modprobe: "kmod",
  "qemu-aarch64": "qemu-user",
  "qemu-system-x86_64": "qemu-system-x86",
  "qemu-x86_64": "qemu-user",
  getcap: "libcap2-bin",
  ip: "iproute2",
  nft: "nftables",
  nsenter: "util-linux",
  unshare: "util-linux",
  newuidmap: "uidmap",
  node: "nodejs",
  pasta: "passt",
  ssh: "openssh-client",
  sshd: "openssh-server",
  setpriv: "util-linux",
  setcap: "libcap2-bin",
  getfattr: "attr",
  setfattr: "attr",
};

export const searchPath = `${process.env.PATH ?? ""}:/usr/local/sbin:/usr/sbin:/sbin`;

/** Full path of a program, or undefined. */
export function tool(name: string): string | undefined {
  return Bun.which(name, { PATH: searchPath }) ?? undefined;
}

export function missing(needed: Needs): string | undefined {
  if (needed.root && process.getuid?.() !== 0) return "root (run it with sudo)";
  for (const name of needed.tools ?? []) {
    if (tool(name) === undefined) return `${name} (apt-get install ${toolPackages[name] ?? name})`;
  }
  return needed.also?.();
}

export function needs(needed: Needs): Gated {
  const reason = missing(needed);
  if (reason === undefined) {
    return {
      met: true,
      test: (name, body, ms) => bunTest(name, body, ms),
      beforeAll: (body, ms) => runBeforeAll(body, ms),
    };
  }
  if (process.env.RT_TEST_REQUIRE === "1") {
    const fail = () => {
      throw new Error(`this test needs ${reason}, and RT_TEST_REQUIRE=1 forbids to skip it`);
    };
    return { met: false, test: (name) => bunTest(name, fail), beforeAll: () => {} };
  }
  warnOnce(reason);
  return { met: false, test: (name, body) => bunTest.skip(name, body), beforeAll: () => {} };
}

export function requireRoot(): Gated {
  return needs({ root: true });
}

const warned = new Set<string>();

function warnOnce(reason: string): void {
  if (warned.has(reason)) return;
  warned.add(reason);
  console.warn(`SKIPPED: tests here need ${reason}`);
}
