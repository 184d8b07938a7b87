import { expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { environmentOf } from "../../../src/base/environment.ts";
import { parseEngineAddress } from "../../../src/remote/address.ts";
import { dialer } from "../../../src/remote/dial.ts";

test("an interrupt at the terminal is ours: the connection that carries it to a program does not end of it", async () => {
  const directory = mkdtempSync(join(tmpdir(), "rt-remote-ssh-"));
  try {
    const [ssh, status] = [join(directory, "ssh"), join(directory, "status")];
    writeFileSync(ssh, `#!/bin/sh\nexec grep SigIgn /proc/self/status > ${status}\n`);
    chmodSync(ssh, 0o755);
    const env = { RT_SSH: ssh, PATH: process.env.PATH };
    const dial = dialer(parseEngineAddress("ssh://box", false), {
      env,
      caller: environmentOf(env),
      warn: () => {},
    });
    const wire = await dial();
    while (!wire.gone.aborted) await Bun.sleep(5);
    const ignored = BigInt(`0x${/[0-9a-f]{16}/.exec(readFileSync(status, "utf8"))![0]}`);
    expect((ignored >> BigInt(constants.signals.SIGINT - 1)) & 1n).toBe(1n);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
