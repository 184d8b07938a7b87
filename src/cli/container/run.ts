import { parseDetachKeys } from "../../base/detach-keys.ts";
import { invalid } from "../../base/invalid.ts";
import { Option, type Usage } from "../command.ts";
import { ContainerFlags } from "./container-flags.ts";
import { checkTerminal, programFlags } from "./program-flags.ts";
import { runOptions } from "./run-options.ts";

export default class RunCommand extends ContainerFlags {
  static override usage: Usage = {
    category: "Containers",
    description: "Run a program in a new container of an image",
    details: `
      IMAGE is pulled when it is not here yet. What follows it is the container's: the program and its arguments, in
      place of the image's own.

      The default network is "bridge": an address of its own behind the host's. With "none" the loopback interface is up,
      and nothing else is there; "host" is the host's own network.

      With -d the program is left to itself once it runs, and the container's id is printed.

      The exit status is the program's own; 125 when rt failed, 126 when the program cannot be executed, 127 when it is
      not found, 128+n when signal n ended it.
    `,
    examples: [
      ["A shell in a new container, removed at its end", "$0 run -it --rm alpine sh"],
      ["The image inside this executable: no network needed", "$0 run --rm embed:hello"],
      ["A pipe, exact to the byte", "cat big.tar | $0 run -i --rm busybox sha256sum"],
      [
        "A directory of the host, read-only, and an environment",
        "$0 run --rm -v /srv/data:/data:ro -e MODE=fast app",
      ],
    ],
  };

  detach = Option.Boolean("-d,--detach", false, {
    description: "Leave the program to itself, and print the container's id",
  });
  detachKeys = programFlags.detachKeys();
  sigProxy = programFlags.sigProxy();

  override async execute(): Promise<number> {
    const options = runOptions(this, this.context.caller, this.pullListener());
    const detachKeys = parseDetachKeys(this.detachKeys);
    const { settings } = options;
    if (this.detach && this.attach.length > 0)
      throw invalid("conflicting options: cannot specify both --attach and --detach");
    if (this.detach) settings.attached = [];
    const attached = this.attach.length > 0 ? settings.attached : undefined;
    const engine = await this.engine({ needsRoot: true, detachKeys, attached });
    if (!this.detach) checkTerminal(settings);
    let id = "";
    const run = (onCreated?: (id: string) => void) =>
      engine.container.run({
        ...options,
        detach: this.detach,
        onCreated: (created) => {
          id = created;
          onCreated?.(created);
        },
      });
    const status = await (this.cidFile === undefined ? run() : withCidFile(this.cidFile, run));
    if (this.detach) this.context.stdout.write(`${id}\n`);
    if (this.detach || hasOutput(settings.attached)) return status;
    // Docker's rule: of whom nothing is seen the id is told.
    this.context.stdout.write(`${id}\n`);
    return 0;
  }
}

function hasOutput(attached: readonly string[]): boolean {
  return attached.includes("stdout") || attached.includes("stderr");
}

async function withCidFile(
  path: string,
  run: (onCreated: (id: string) => void) => Promise<number>,
): Promise<number> {
  const { CidFile } = await import("./cid-file.ts");
  return await new CidFile(path).of(run);
}
