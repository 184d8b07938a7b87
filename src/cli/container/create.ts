import type { Usage } from "../command.ts";
import { ContainerFlags } from "./container-flags.ts";
import { createOptions } from "./run-options.ts";

export default class CreateCommand extends ContainerFlags {
  static override usage: Usage = {
    category: "Containers",
    description: "Make a new container of an image, and do not start it",
    details: `
      The flags are those of rt run. The id of the container is printed; rt start runs its program.
    `,
    examples: [
      ["Make it now, run it later", "$0 create --name job alpine sh -c 'date; sleep 9'; $0 start -a job"],
    ],
  };

  override async execute(): Promise<number> {
    const options = createOptions(this, this.context.caller, this.pullListener());
    const engine = await this.engine({ needsRoot: true });
    const create = () => engine.container.create(options);
    const id = this.cidFile === undefined ? await create() : await this.withCidFile(this.cidFile, create);
    this.context.stdout.write(`${id}\n`);
    return 0;
  }

  private async withCidFile(path: string, create: () => Promise<string>): Promise<string> {
    const { CidFile } = await import("./cid-file.ts");
    return await new CidFile(path).of(async (written) => {
      const id = await create();
      written(id);
      return id;
    });
  }
}
