import { Option, RtCommand, type Usage } from "../command.ts";

export default class UnshareCommand extends RtCommand {
  static override usage: Usage = {
    category: "System",
    description: "Run a command, or a shell, as root of your user namespace",
    details: `
      For an ordinary user: files that containers have made in volumes and directories of his have owners which are nobody's
      outside, and in there are seen as a container sees them. The command has mounts of its own; its exit status is this
      one's. Without a command it is $SHELL, or /bin/sh.
    `,
    examples: [
      ["Who owns what a container has written", "$0 unshare ls -ln data"],
      ["Remove it", "$0 unshare rm -rf data"],
    ],
  };

  command = Option.Proxy({ name: "COMMAND" });

  override async execute(): Promise<number> {
    const engine = await this.engine({ needsRoot: true });
    await engine.system.unshare(this.command);
    return 0;
  }
}
