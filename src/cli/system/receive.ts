import { RtCommand, type Usage } from "../command.ts";
import { refuseTerminal } from "./peer.ts";

/** What ssh calls on another host. Nobody types it. */
export default class ReceiveCommand extends RtCommand {
  static override usage: Usage = {
    description: "Take an image from another rt, at stdin and stdout",
    examples: [["As it is called for rt push IMAGE ssh://HOST", "ssh HOST $0 system receive"]],
  };

  override async execute(): Promise<number> {
    await refuseTerminal("rt push IMAGE ssh://HOST");
    const engine = await this.engine({ needsRoot: true });
    return engine.system.receive();
  }
}
