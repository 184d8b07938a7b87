import { readFileSync } from "node:fs";
import { needsRoot, RtError } from "../../base/errors.ts";
import { rootlessCaller } from "../../base/rootless.ts";
import { visible } from "../../base/visible.ts";
import type { InitConfig, OnExit } from "../../engine/machine/config.ts";
import { packedReference } from "../../reference/kind.ts";
import { RtCommand, type Usage } from "../command.ts";
import { reportError } from "../output/report.ts";
import { sessionKind, sessionVariable } from "./init-argv.ts";
import { planOf } from "./init-plan.ts";

export default class InitCommand extends RtCommand {
  static override usage: Usage = {
    category: "System",
    description: "Be process 1: of a machine that boots into containers, or of a pid namespace",
    details: `
      As /init of an initramfs, or named to the kernel by init=, rt is called like this by itself. It mounts what is missing
      (/proc, /sys, /dev, cgroups, /run, /tmp), brings up the loopback interface, and runs the containers that --config
      FILE names (default /etc/rt/init.toml; on a kernel's command line: rt.config=FILE). Without such a file the image that
      is packed into the executable, else embed:hello, gets the console. The file may name kernel modules and a network, as
      does ip= on a kernel's command line: addresses, or DHCP.

      It reaps what is orphaned. When every container has ended, or the one on the console, or on a signal, all are
      stopped, and the machine does what was asked: power off (TERM, USR2, PWR, and on-exit's default), reboot (INT, which
      is ctrl-alt-del) or halt (USR1). A second signal does not wait for the containers. A pid namespace ends with the
      status of the container on the console, or of the first that failed.
    `,
    examples: [
      ["In a pid namespace", "unshare --pid --fork --mount-proc $0 init --config box.toml"],
      ["A kernel's command line", "init=/usr/bin/rt rt.config=/etc/box.toml"],
    ],
  };

  override async execute(): Promise<number> {
    if (process.geteuid?.() !== 0 || rootlessCaller(this.context.env)) throw needsRoot("init");
    if (process.pid === 1) {
      const { becomeInit } = await import("../../engine/machine/session.ts");
      becomeInit(this.#words());
    }
    const kind = sessionKind(this.context.env);
    if (kind === undefined) {
      throw new RtError(
        "invalid-argument",
        "init wants to be process 1: boot it as /init, or try unshare --pid --fork --mount-proc rt init",
      );
    }
    return await this.#session(kind === "machine");
  }

  #words(): string[] {
    const { config, root, state, storageDriver } = this;
    const flags = { "--config": config, "--root": root, "--state": state, "--storage-driver": storageDriver };
    return Object.entries(flags).flatMap(([name, value]) => (value === undefined ? [] : [name, value]));
  }

  async #session(isMachine: boolean): Promise<number> {
    let onExit: OnExit = "poweroff";
    const driver = this.storageDriver;
    const [{ askForEnd, runMachine }, { consoleOutputs }] = await Promise.all([
      import("../../engine/machine/session.ts"),
      import("../../engine/machine/console.ts"),
    ]);
    const outputs = consoleOutputs(1, 2);
    const end = new AbortController();
    process.on("SIGTERM", () => end.abort());
    const said = (text: string) => void outputs.stderr.write(Buffer.from(text));
    const stderr = { write: said, isTerminal: false, columns: 80, rows: 24 };
    const report = (error: unknown) => reportError(error, { ...this.context, stderr });
    const say = (line: string) => said(`rt: ${visible(line)}\n`);
    try {
      const config = await this.#configuration(isMachine);
      onExit = config.onExit;
      const terminal = process.getBuiltinModule("node:tty").isatty(0);
      const plans = config.containers.map((container) => planOf(container, terminal, this.context));
      const env = { ...wholeEnvironment(), ...(driver !== undefined && { RT_STORAGE_DRIVER: driver }) };
      // `--config` is not the engine's here.
      const store = { root: this.root, state: this.state, storageDriver: driver, env: this.context.env };
      const surroundings = { say, report, env, end: end.signal, console: [0, 1, 2] as const, ...outputs };
      return await runMachine({ config, isMachine, store, plans }, surroundings);
    } catch (error) {
      return report(error);
    } finally {
      await Promise.all([outputs.stdout.drain(), outputs.stderr.drain()]);
      askForEnd(onExit);
    }
  }

  async #configuration(isMachine: boolean): Promise<InitConfig> {
    const { embeddedConfig, readInitConfig } = await import("../../engine/machine/config.ts");
    const configured = await readInitConfig(this.config);
    if (configured) return configured;
    // The one program of a machine gets the machine's network.
    const network = isMachine ? ["--network=host"] : [];
    if (this.context.env.RT_PACKED === undefined)
      return embeddedConfig("console", "embed:hello", network, []);
    const { appStart } = await import("../../engine/app/start.ts");
    const { flags, command } = appStart();
    const name = flags.findLast((flag) => flag.startsWith("--name="))?.slice("--name=".length);
    const args = [...network, ...flags.filter((flag) => !ofOneRun.test(flag))];
    return embeddedConfig(name ?? "console", packedReference, args, [...command]);
  }
}

/** Flags of an app that say something of a single run, as `rt pack` spells them: as init each start is a new container. */
const ofOneRun = /^--(?:name|rm|cidfile|detach-keys)=/;

/** All that process 1 was given, for `-e NAME` on the console; the variable that marks a session is nobody else's. */
function wholeEnvironment(): Record<string, string> {
  const entries = readFileSync("/proc/self/environ", "utf8").split("\0").filter(Boolean);
  const pairs = entries.map(
    (entry) => [entry.split("=", 1)[0]!, entry.slice(entry.indexOf("=") + 1)] as const,
  );
  return Object.fromEntries(pairs.filter(([name]) => name !== sessionVariable));
}
