import { readFileSync } from "node:fs";
import { invalid, quote } from "../../base/invalid.ts";
import { resolvePaths } from "../../base/paths.ts";
import type { TlsFiles } from "../../daemon/listen-tcp.ts";
import { parseDuration } from "../../docker/timestamp.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { LogOutput } from "../output/output.ts";

export default class DaemonCommand extends RtCommand {
  static override usage: Usage = {
    category: "System",
    description: "Serve Docker's Engine API",
    details: `
      Docker's own command line, compose and SDKs work through its socket. Nothing depends on it: containers live on without it,
      and rt beside it sees and changes the same containers, images, networks and volumes at any moment.

      Whoever may connect is root on this host, unless the address ends in ?allow=read, or in ?policy=FILE, which says what he may.
      docs/daemon.md has both, and systemd's units.
    `,
    examples: [
      ["For Docker's tools", "$0 daemon & DOCKER_HOST=unix:///run/rt/rt.sock docker ps"],
      [
        "One for a dashboard, too",
        "$0 daemon -H unix:///run/rt/rt.sock -H 'unix:///run/rt/look.sock?allow=read'",
      ],
    ],
  };

  hosts = Option.Array("-H,--host", [], {
    description:
      "`ADDRESS` Where to listen: unix://, tcp:// or fd:// (default unix:///run/rt/rt.sock); several at once",
  });
  group = Option.String("-G,--group", {
    description: "`GROUP` Whose members may use unix sockets, by name or number",
  });
  tls = Option.Boolean("--tls", false, { description: "Speak TLS on tcp://" });
  tlsVerify = Option.Boolean("--tlsverify", false, {
    description: "The same, and only to clients of --tlscacert",
  });
  tlsAuthority = Option.String("--tlscacert", { description: "`FILE` Who signs clients' certificates, PEM" });
  tlsCert = Option.String("--tlscert", { description: "`FILE` Our certificate and its chain, PEM" });
  tlsKey = Option.String("--tlskey", { description: "`FILE` Its key, PEM" });
  idleTimeout = Option.String("--idle-timeout", {
    description: "`DURATION` End when nobody was connected for so long (90s, 10m)",
  });

  override async execute(): Promise<number> {
    const stderr = new LogOutput(this.context.stderr);
    this.context = { ...this.context, stderr };
    const { root, state } = this;
    const paths = resolvePaths({ ...(root && { root }), ...(state && { state }) }, this.context.env);
    const asked = {
      group: this.group === undefined ? undefined : groupOf(this.group),
      tls: this.#tlsFiles(),
      idleTimeout_ms: this.idleTimeout === undefined ? undefined : durationOf(this.idleTimeout),
    };
    await this.#checkHere();
    const engine = await this.engine({ needsRoot: true });
    const { serveApi } = await import("../../daemon/daemon.ts");
    const { processSession } = await import("../session.ts");
    const session = processSession(stderr, new Uint8Array());
    await serveApi({
      ...asked,
      hosts: this.hosts.length > 0 ? this.hosts : [`unix://${paths.state}/rt.sock`],
      engine,
      // What systemd says is not for the runtime, which starts with few names.
      env: this.context.caller.all(),
      onListening: (addresses) => {
        for (const address of addresses) stderr.write(`rt: API listen on ${address}\n`);
      },
      warn: (line) => session.warn(line),
      abort: session.abort,
    });
    return 0;
  }

  /** -H in front of the command is where to go, and would make a daemon for somebody else's. */
  async #checkHere(): Promise<void> {
    const { chosenEngine } = await import("../elsewhere.ts");
    const { place = { asDocker: false }, env } = this.context;
    if (!chosenEngine(place, env)) return;
    const hint = "-H behind the word daemon says where to listen";
    throw invalid(
      `the daemon is of this host, and -H, --context or the environment (RT_HOST, RT_CONTEXT) says another: ${hint}`,
    );
  }

  #tlsFiles(): TlsFiles | undefined {
    const { tlsCert: cert, tlsKey: key, tlsAuthority: authority } = this;
    if (!this.tls && !this.tlsVerify) {
      if ((cert ?? key ?? authority) === undefined) return undefined;
      throw invalid("--tlscert, --tlskey and --tlscacert need --tls, or --tlsverify");
    }
    if (cert === undefined || key === undefined) throw invalid("TLS needs --tlscert and --tlskey");
    if (this.tlsVerify && authority === undefined)
      throw invalid("--tlsverify needs --tlscacert: who signs the certificates of clients");
    return { cert, key, clientAuthority: this.tlsVerify ? authority : undefined };
  }
}

/** @throws RtError invalid-argument */
function durationOf(text: string): number {
  const nanoseconds = parseDuration(text);
  if (nanoseconds === undefined || nanoseconds <= 0n)
    throw invalid(`invalid --idle-timeout ${quote(text)}: want a duration, as 90s or 10m`);
  // A timer of the runtime's has 31 bits.
  return Math.min(Number(nanoseconds / 1_000_000n), 2 ** 31 - 1);
}

/** @throws RtError invalid-argument: this host has no such group */
function groupOf(text: string): number {
  if (/^[0-9]{1,9}$/.test(text)) return Number(text);
  for (const line of readFileSync("/etc/group", "utf8").split("\n")) {
    const [name, , number] = line.split(":");
    if (name === text && /^[0-9]+$/.test(number ?? "")) return Number(number);
  }
  throw invalid(`invalid --group ${quote(text)}: /etc/group has no such group: groupadd --system ${text}`);
}
