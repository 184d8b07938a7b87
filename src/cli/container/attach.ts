import { parseDetachKeys } from "../../base/detach-keys.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { programFlags } from "./program-flags.ts";

export default class AttachCommand extends RtCommand {
  static override usage: Usage = {
    category: "Containers",
    description: "Connect this terminal to a running container",
    details: `
      Input, output and signals go to the container's own program. The exit status is the program's, when it ends.
    `,
    examples: [["Come back to a container whose client was closed", "$0 attach web"]],
  };

  detachKeys = programFlags.detachKeys();
  noStdin = Option.Boolean("--no-stdin", false, { description: "Do not connect stdin" });
  sigProxy = programFlags.sigProxy();

  container = Option.String({ name: "CONTAINER" });

  override async execute(): Promise<number> {
    const detachKeys = parseDetachKeys(this.detachKeys);
    const engine = await this.engine({ needsRoot: true, detachKeys });
    const { sigProxy, noStdin } = this;
    return await engine.container.attach(this.container, { sigProxy, noStdin });
  }
}
