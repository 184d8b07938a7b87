import { RtCommand, type Usage } from "../command.ts";

export default class SystemMigrateCommand extends RtCommand {
  static override usage: Usage = {
    category: "System",
    description: "Begin anew with the ids that you have now, where no container runs",
    details: `
      For an ordinary user: a small process (rt-holder) keeps his user namespace, from his first command on. This ends it, and
      his next command makes another one, with what /etc/subuid and /etc/subgid say then.
    `,
    examples: [["After usermod --add-subuids", "$0 system migrate"]],
  };

  override async execute(): Promise<number> {
    const engine = await this.engine();
    const ended = await engine.system.migrate();
    this.context.stdout.write(ended ? "your next command begins anew\n" : "there was nothing to end\n");
    return 0;
  }
}
