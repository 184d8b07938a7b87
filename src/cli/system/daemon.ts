import { resolvePaths } from "../../base/paths.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { LogOutput } from "../output/output.ts";

export default class DaemonCommand extends RtCommand {
  static override usage: Usage = {
    category: "System",
    description: "Serve Docker's Engine API",
    details: `
      Docker's own command line, compose and SDKs work through its socket. Nothing depends on it: containers live on without it,
      and rt beside it sees and changes the same containers, images, networks and volumes at any moment.
    `,
    examples: [["For Docker's tools", "$0 daemon & DOCKER_HOST=unix:///run/rt/rt.sock docker ps"]],
  };

  hosts = Option.Array("-H,--host", [], {
    description: "`ADDRESS` Where to listen (default unix:///run/rt/rt.sock); several at once",
  });

  override async execute(): Promise<number> {
    const stderr = new LogOutput(this.context.stderr);
    this.context = { ...this.context, stderr };
    const { root, state } = this;
    const paths = resolvePaths({ ...(root && { root }), ...(state && { state }) }, this.context.env);
    const engine = await this.engine({ needsRoot: true });
    const { serveApi } = await import("../../daemon/daemon.ts");
    const { processSession } = await import("../session.ts");
    const session = processSession(stderr, new Uint8Array());
    await serveApi({
      hosts: this.hosts.length > 0 ? this.hosts : [`unix://${paths.state}/rt.sock`],
      engine,
      onListening: (addresses) => {
        for (const address of addresses) stderr.write(`rt: API listen on ${address}\n`);
      },
      warn: (line) => session.warn(line),
      abort: session.abort,
    });
    return 0;
  }
}
