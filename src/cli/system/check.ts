import { visible } from "../../base/visible.ts";
import type { Engine } from "../../engine/engine.ts";
import { RtCommand, type Usage } from "../command.ts";

export default class SystemCheckCommand extends RtCommand {
  static override usage: Usage = {
    category: "System",
    description: "Look whether all that is stored is as it was written, and what an ordinary user lacks",
    details: `
      To an ordinary user it says first what this host does not give him, and how to get it: a namespace, ids, cgroups, networks.
      Then the database, records, blobs by their digests, unpacked layers by unpacking them anew, containers' files, volumes. Each
      problem is a line that says what to do; nothing is changed. The exit status is 1 where there is one.
    `,
    examples: [["After a power failure, or on an old disk", "$0 system check"]],
  };

  override async execute(): Promise<number> {
    const { stdout } = this.context;
    const lacks = await (await this.engine()).system.checkHost();
    const say = (line: string) => stdout.write(`${visible(line)}\n`);
    const tell = () => {
      for (const { what, problem, remedy, isHint } of lacks)
        say(`${isHint ? "hint" : "host"} ${what}: ${problem}: ${remedy}`);
      return lacks.filter(({ isHint }) => !isHint).length;
    };
    let engine: Engine;
    try {
      // Of an ordinary user it begins anew, where he can have a namespace.
      engine = await this.engine({ needsRoot: true });
    } catch (error) {
      tell();
      throw error;
    }
    let count = tell();
    for await (const { kind, what, problem, remedy } of await engine.system.check()) {
      count++;
      say(`${kind} ${what}: ${problem}: ${remedy}`);
    }
    stdout.write(
      count === 0 ? "all is as it was written\n" : `${count} ${count === 1 ? "problem" : "problems"}\n`,
    );
    return count === 0 ? 0 : 1;
  }
}
