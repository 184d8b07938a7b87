import type { IdMap } from "../../src/base/id-map.ts";
import { run } from "./command.ts";

/** What neither mount(8) and unshare(1) of every Debian nor Bun can. A namespace that nobody lives in, with `uids` and `gids`. */
const prelude = `
import ctypes, os, struct, sys
uids, gids, *rest = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    rc = libc.syscall(number, *arguments)
    if rc < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return rc
ready, go = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    if libc.unshare(0x10000000) != 0: os._exit(1)
    os.write(ready[1], b"x")
    os.read(go[0], 1)
    os._exit(0)
os.read(ready[0], 1)
for name, text in (("uid_map", uids), ("gid_map", gids)):
    with open(f"/proc/{child}/{name}", "w") as file: file.write(text)
namespace = os.open(f"/proc/{child}/ns/user", os.O_RDONLY)
os.write(go[1], b"x")
os.waitpid(child, 0)
`;

const bind = `${prelude}
source, at = rest
tree = call(428, -100, source.encode(), 1 | 0o2000000)
attributes = struct.pack("QQQQ", 0x100000, 0, 0, namespace)
call(442, tree, b"", 0x1000, attributes, len(attributes))
call(429, tree, b"", -100, at.encode(), 0x04)
`;

const enter = `${prelude}
if libc.setns(namespace, 0x10000000) != 0: sys.exit(f"setns: {os.strerror(ctypes.get_errno())}")
os.setgid(0)
os.setuid(0)
os.execvp(rest[0], rest)
`;

function maps({ uids, gids }: IdMap): string[] {
  return [uids, gids].map((ranges) =>
    ranges.map(({ container, host, size }) => `${container} ${host} ${size}\n`).join(""),
  );
}

/** A bind mount: what `source` has with a container's numbers is seen at `at` with the host's. */
export async function bindMapped(source: string, at: string, owners: IdMap): Promise<void> {
  await run(["python3", "-c", bind, ...maps(owners), source, at]);
}

/** A script, with the rights of the root of a user namespace with these maps, and no others. */
export async function asRootOf(owners: IdMap, directory: string, script: string): Promise<string> {
  return run(["python3", "-c", enter, ...maps(owners), "sh", "-euc", script], { cwd: directory });
}
