import { RtCommand, type Usage } from "../command.ts";
import { refuseTerminal } from "./peer.ts";

/** What ssh calls on another host. Nobody types it. */
export default class SendCommand extends RtCommand {
  static override usage: Usage = {
    description: "Give an image to another rt, at stdin and stdout",
    examples: [["As it is called for rt pull ssh://HOST/IMAGE", "ssh HOST $0 system send"]],
  };

  override async execute(): Promise<number> {
    await refuseTerminal("rt pull ssh://HOST/IMAGE");
    const engine = await this.engine({ needsRoot: true });
    return engine.system.send();
  }
}
