import { visible } from "../../base/visible.ts";
import { RtCommand, type Usage } from "../command.ts";

export default class SystemCheckCommand extends RtCommand {
  static override usage: Usage = {
    category: "System",
    description: "Look whether all that is stored is as it was written",
    details: `
      The database, records, blobs by their digests, unpacked layers by unpacking them anew, containers' files, volumes. Each
      problem is a line that says what to do; nothing is changed. The exit status is 1 where there is one.
    `,
    examples: [["After a power failure, or on an old disk", "$0 system check"]],
  };

  override async execute(): Promise<number> {
    const { stdout } = this.context;
    const engine = await this.engine({ needsRoot: true });
    let count = 0;
    for await (const { kind, what, problem, remedy } of await engine.system.check()) {
      count++;
      stdout.write(`${visible(`${kind} ${what}: ${problem}: ${remedy}`)}\n`);
    }
    stdout.write(
      count === 0 ? "all is as it was written\n" : `${count} ${count === 1 ? "problem" : "problems"}\n`,
    );
    return count === 0 ? 0 : 1;
  }
}
