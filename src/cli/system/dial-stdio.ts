import { resolvePaths } from "../../base/paths.ts";
import { RtCommand, type Usage } from "../command.ts";
import { refuseTerminal } from "./peer.ts";

/** What `rt -H ssh://HOST` and `docker -H ssh://HOST` call on the other host. Nobody types it. */
export default class DialStdioCommand extends RtCommand {
  static override usage: Usage = {
    description: "Docker's Engine API at stdin and stdout",
    details: `
      Where a daemon listens they lead to its socket; else the API is served by this process.
    `,
    examples: [["As it is called for rt -H ssh://HOST", "ssh HOST $0 system dial-stdio"]],
  };

  override async execute(): Promise<number> {
    await refuseTerminal("rt -H ssh://HOST");
    const { stdioDuplex, join } = await import("../stdio-duplex.ts");
    const { env, place = { asDocker: false } } = this.context;
    const [{ dialer }, { chosenEngine }] = await Promise.all([
      import("../../remote/dial.ts"),
      import("../elsewhere.ts"),
    ]);
    const warn = (line: string) => void this.context.stderr.write(`rt: ${line}\n`);
    const chosen = chosenEngine(place, env);
    const { root, state } = this;
    const paths = resolvePaths({ ...(root && { root }), ...(state && { state }) }, env);
    const address = chosen?.address ?? ({ kind: "unix", path: `${paths.state}/rt.sock` } as const);
    const dial = dialer(address, { tls: chosen?.tls, env, caller: this.context.caller, warn });
    // Without a daemon nothing is missing but a process: this one will do.
    const wire = await dial().catch((error: unknown) => {
      if (chosen) throw error;
      return undefined;
    });
    const here = stdioDuplex();
    if (wire) {
      await join(here, wire);
      return 0;
    }
    const engine = await this.engine({ needsRoot: true });
    const { serveOne } = await import("../../daemon/daemon.ts");
    await serveOne({ engine, warn }, here);
    return 0;
  }
}
