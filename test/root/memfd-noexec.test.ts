import { expect } from "bun:test";
import { testHost } from "../support/host.ts";
import { requireRoot } from "../support/root.ts";
import { rtBinary } from "../support/rt.ts";

const { test } = requireRoot();

// vm.memfd_noexec belongs to a pid namespace: the host's own stays as it is.
const script = 'echo "$1" > /proc/sys/vm/memfd_noexec; exec "$2" run --rm embed:hello exit 4';

for (const setting of ["1", "2"]) {
  test(`a host that forbids executing memfds: vm.memfd_noexec=${setting}`, async () => {
    await using host = await testHost();
    const child = Bun.spawn(
      ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", script, "sh", setting, rtBinary],
      { env: host.env, stdout: "pipe", stderr: "pipe" },
    );
    expect(await child.stderr.text()).not.toContain("rt:");
    expect(await child.exited).toBe(4);
  });
}
