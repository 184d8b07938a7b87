/**
 * glibc for build/static.ts: ld.so and the libraries that Bun's program names, cut off from the files of the host that
 * they would load code or orders from. The build machine's own for its own architecture; Debian's package, through apt-get,
 * for another one.
 *
 * glibc is LGPL-2.1-or-later. LICENSES/README.md says which one is inside, what is changed here, and how to put another in
 * its place: `bun build.ts --glibc DIRECTORY`.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Runtime } from "./static.ts";

/** Debian's name for an architecture, and the name of ld.so there. */
export interface Architecture {
  debian: "amd64" | "arm64";
  interpreter: "/lib64/ld-linux-x86-64.so.2" | "/lib/ld-linux-aarch64.so.1";
  isHost: boolean;
}

const sonames = ["libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2"];

/** `cache`: a directory for what is downloaded. `given`: a directory that holds ld.so and the libraries. */
export function glibc(architecture: Architecture, cache: string, given: string | undefined): Runtime {
  const directory =
    given ?? (architecture.isHost ? hostDirectory(architecture) : download(architecture, cache));
  const read = (name: string) => detach(readFileSync(join(directory, name)));
  return {
    interpreter: read(architecture.interpreter.split("/").at(-1)!),
    libraries: new Map(sonames.map((name) => [name, read(name)])),
  };
}

/** "GNU C Library (Debian GLIBC 2.36-9+deb12u14) stable release version 2.36.": what libc prints when it is executed. */
export function versionOf({ libraries }: Runtime): string {
  const text = Buffer.from(libraries.get("libc.so.6")!).toString("latin1");
  return /GNU C Library \([^\n\0]*/.exec(text)?.[0] ?? "an unknown version";
}

function hostDirectory({ interpreter }: Architecture): string {
  if (!existsSync(interpreter))
    throw new Error(
      `${interpreter} does not exist: rt is built on a glibc system, or with --glibc DIRECTORY`,
    );
  return dirname(realpathSync(interpreter));
}

/** libc6 of the other architecture, beside the host's own packages, which are not touched. */
function download({ debian, interpreter }: Architecture, cache: string): string {
  const root = join(cache, "glibc");
  const found = () =>
    existsSync(root) &&
    readdirSync(root, { recursive: true, encoding: "utf8" }).find(
      (path) =>
        path.endsWith(`/${interpreter.split("/").at(-1)}`) &&
        existsSync(join(root, dirname(path), "libc.so.6")),
    );
  if (!found()) {
    const lists = join(cache, "apt");
    mkdirSync(join(lists, "lists/partial"), { recursive: true });
    mkdirSync(join(lists, "cache/archives/partial"), { recursive: true });
    mkdirSync(root, { recursive: true });
    const options = [`APT::Architecture=${debian}`, `APT::Architectures=${debian}`, `Dir::State=${lists}`]
      .concat([
        `Dir::State::status=/dev/null`,
        `Dir::Cache=${join(lists, "cache")}`,
        "APT::Sandbox::User=root",
      ])
      .flatMap((option) => ["-o", option]);
    run(["apt-get", "-qq", ...options, "update"], cache);
    run(["apt-get", "-qq", ...options, "download", "libc6"], lists);
    const archive = readdirSync(lists).find((name) => name.endsWith(".deb"));
    run(["dpkg-deb", "-x", join(lists, archive ?? "libc6.deb"), root], cache);
    rmSync(lists, { recursive: true });
  }
  const path = found();
  if (!path) throw new Error(`Debian's libc6 for ${debian} holds no ${interpreter}`);
  return join(root, dirname(path));
}

function run(command: string[], cwd: string): void {
  const { exitCode, stderr } = Bun.spawnSync(command, { cwd, stderr: "pipe" });
  if (exitCode !== 0) throw new Error(`${command.join(" ")} failed with ${exitCode}: ${stderr}`);
}

/**
 * Names by which a host would bring its own libraries, of another glibc, into the program: the loader's cache, the name
 * service switch with its plug-ins, and the name service's daemon. An empty name is never found, and without the switch
 * names come from /etc/hosts, then DNS. (/etc/ld.so.preload is the stub's: see zig-native/start.zig.)
 */
const hostFiles =
  /(?:\/etc\/ld\.so\.cache|\/etc\/nsswitch\.conf|\/var\/run\/nscd\/socket|\/etc\/suid-debug)(?=\0)/g;

/** The directories that ld.so searches; it wants each to begin with a slash. */
const hostDirectories = /(?<=\0(?:\/usr)?\/)lib(?=(?:64|\/x86_64-linux-gnu|\/aarch64-linux-gnu)?\/\0)/g;

/** The same library, which finds none of the host's. */
export function detach(library: Uint8Array): Uint8Array {
  // Latin-1 is the encoding in which a byte is a character, so that the two have the same length.
  const text = Buffer.from(library)
    .toString("latin1")
    .replace(hostFiles, (name) => "\0".repeat(name.length))
    .replace(hostDirectories, "\x01ib");
  return Buffer.from(text, "latin1");
}
