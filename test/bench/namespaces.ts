/**
 * Network namespaces to measure in: a host, and who is outside of it.
 *
 *   host 192.0.2.2  ====  192.0.2.1 outside
 *
 * They are there until the stack that they are on is disposed; the machine's own stays as it is.
 */
import type { Shell } from "./shell.ts";

export interface Namespace {
  /** The process that holds it. */
  pid: string;
  /** What stands before a command that is to run there. */
  enter: string;
}

export const hostAddress = "192.0.2.2";

export async function newNamespace(shell: Shell, stack: AsyncDisposableStack): Promise<Namespace> {
  const pid = await shell.ok("(unshare -n sleep infinity >/dev/null 2>&1 & echo $!)");
  stack.defer(async () => void (await shell.time(`kill ${pid}`)));
  await shell.ok(
    `until [ "$(readlink /proc/${pid}/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do sleep 0.01; done`,
  );
  const enter = entering(pid);
  await shell.ok(`${enter} ip link set lo up`);
  return { pid, enter };
}

export function entering(pid: string): string {
  return `nsenter --net=/proc/${pid}/ns/net`;
}

export interface Outlook {
  host: Namespace;
  outside: Namespace;
}

export async function newOutlook(shell: Shell, stack: AsyncDisposableStack): Promise<Outlook> {
  const host = await newNamespace(shell, stack);
  const outside = await newNamespace(shell, stack);
  await shell.ok(`${host.enter} ip link add up0 type veth peer name up1 netns ${outside.pid}`);
  await shell.ok(`${host.enter} ip address add ${hostAddress}/24 dev up0`);
  await shell.ok(`${host.enter} ip link set up0 up`);
  await shell.ok(`${outside.enter} ip address add 192.0.2.1/24 dev up1`);
  await shell.ok(`${outside.enter} ip link set up1 up`);
  return { host, outside };
}

/** Two namespaces at a bridge of the host, as somebody makes them by hand: 10.77.0.2 and 10.77.0.3, and what leads a port there. */
export async function handMade(
  shell: Shell,
  stack: AsyncDisposableStack,
  port: number,
): Promise<Outlook & { server: Namespace; client: Namespace; address: string }> {
  const outlook = await newOutlook(shell, stack);
  const { enter } = outlook.host;
  await shell.ok(`${enter} ip link add br0 type bridge && ${enter} ip address add 10.77.0.1/24 dev br0`);
  await shell.ok(`${enter} ip link set br0 up`);
  const ends: Namespace[] = [];
  for (const address of ["10.77.0.2", "10.77.0.3"]) {
    const end = await newNamespace(shell, stack);
    const link = `v${ends.length}`;
    await shell.ok(`${enter} ip link add ${link} master br0 type veth peer name eth0 netns ${end.pid}`);
    await shell.ok(`${enter} ip link set ${link} up`);
    await shell.ok(`${end.enter} ip address add ${address}/24 dev eth0`);
    await shell.ok(`${end.enter} ip link set eth0 up && ${end.enter} ip route add default via 10.77.0.1`);
    ends.push(end);
  }
  const [server, client] = ends as [Namespace, Namespace];
  await shell.ok(`${enter} sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'`);
  const rule = `tcp dport ${port} dnat to 10.77.0.2:80`;
  const table = `table ip hand { chain pre { type nat hook prerouting priority dstnat; ${rule}; }; }`;
  await shell.ok(`${enter} nft '${table}'`);
  return { ...outlook, server, client, address: "10.77.0.2" };
}
