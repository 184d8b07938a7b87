/** The README's table of what a default container may do, made of what is recorded. */
import { join } from "node:path";
import type { Facts } from "./facts.ts";
import type { Recorded } from "./record.ts";

const readme = join(import.meta.dir, "../../README.md");
const [begin, end] = ["<!-- survey -->", "<!-- /survey -->"];
const order = ["docker", "podman", "rt"];

const rows: readonly (readonly [string, (facts: Facts) => string])[] = [
  ["capabilities", ({ capabilities }) => String(capabilities.length)],
  ["system calls let through", ({ calls }) => String(calls.length)],
  ["those of i386", ({ callsI386 }) => String(callsI386.length)],
  ["of them by arguments", (facts) => listed(dangerous.filter((name) => facts.arguments.includes(name)))],
  ["of the host's /proc and /sys hidden", ({ hidden }) => listed(hidden)],
  ["files there that open for writing", ({ written }) => listed(written)],
  ["devices", ({ devices }) => listed(devices)],
  ["devices that it makes and opens", ({ madeDevices }) => listed(madeDevices)],
  ["namespaces of its own", ({ namespaces }) => listed(namespaces)],
  ["mounts where a device counts", ({ mounts }) => listed(mounts.devices)],
  ["mounts where set-user-ID counts", ({ mounts }) => listed(mounts.setuid)],
  ["seccomp filter", ({ seccomp }) => (seccomp === 2 ? "yes" : "no")],
  ["keys", ({ keyring }) => (keyring === "EPERM" || keyring === "ENOSYS" ? "denied" : "a keyring")],
  ["open files, soft and hard", ({ openFiles }) => openFiles],
  ["label of a security module", ({ label }) => (label === "-" ? "the host has none" : label)],
];

/** Not of all that a filter decides by arguments, but of what has been a way out. */
export const dangerous = [
  ...["clone-user", "unshare-user", "socket-packet", "socket-raw", "socket-alg", "socket-alg-high-bits"],
  ...["i386-socket-alg", "i386-socketcall-alg", "socket-vsock", "socket-vsock-high-bits"],
  ...["personality-read-implies-exec"],
];

function listed(names: readonly string[]): string {
  return names.length === 0 ? "none" : `${names.length}: ${names.join(" ")}`;
}

/** Markdown, with the markers. */
export function tableOf(recorded: Recorded): string {
  const engines = order.filter((name) => recorded.engines[name]);
  const heads = engines.map((name) => (name === "rt" ? name : `${name} ${versionOf(recorded, name)}`));
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const body = rows.map(([title, cell]) =>
    line([title, ...engines.map((name) => cell(recorded.engines[name]!))]),
  );
  return [begin, "", line(["", ...heads]), line(["", ...heads].map(() => "---")), ...body, "", end].join(
    "\n",
  );
}

/** Without what a distribution adds. */
function versionOf(recorded: Recorded, name: string): string {
  return recorded.engines[name]!.version.replace(/\+.*/, "");
}

/** What stands between the markers of the README, with them. @throws Error where they are missing */
export async function tableInReadme(): Promise<string> {
  const text = await Bun.file(readme).text();
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`the README has no ${begin} … ${end}`);
  return text.slice(from, to + end.length);
}

export async function writeTable(recorded: Recorded): Promise<void> {
  const before = await tableInReadme();
  const text = await Bun.file(readme).text();
  await Bun.write(
    readme,
    text.replace(before, () => tableOf(recorded)),
  );
}
