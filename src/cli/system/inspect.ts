import { RtError } from "../../base/errors.ts";
import { invalid, quote } from "../../base/invalid.ts";
import { visibleJson } from "../../base/visible.ts";
import type { Engine } from "../../engine/engine.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { Template } from "../format/template.ts";
import { errorLine } from "../output/report.ts";

const inspectTypes = ["container", "image", "volume", "network", "exec"] as const;
export type InspectType = (typeof inspectTypes)[number];

export const sizeWords = "Say what a container's files take";

interface InspectOptions {
  /** Of containers. */
  size?: boolean | undefined;
  /** Of images. */
  platform?: string | undefined;
}

/** What `inspect` and those of each noun share. */
export abstract class InspectBase extends RtCommand {
  format = Option.String("-f,--format", { description: "`FORMAT` json, or a Go template" });
  names = Option.Rest({ name: "NAME", required: 1 });

  protected async inspect(types: readonly InspectType[], options: InspectOptions = {}): Promise<number> {
    const template = this.format && this.format !== "json" ? new Template(this.format) : undefined;
    const engine = await this.engine();
    const found: unknown[] = [];
    let failed = false;
    for (const name of this.names) {
      try {
        found.push(await inspectOne(engine, name, types, options));
      } catch (error) {
        if (!(error instanceof RtError)) throw error;
        failed = true;
        this.context.stderr.write(errorLine(error, this.context));
      }
    }
    if (template) for (const object of found) this.context.stdout.write(`${template.render(object)}\n`);
    else if (this.format === "json") this.context.stdout.write(`${visibleJson(found)}\n`);
    else this.context.stdout.write(`${visibleJson(found, 4)}\n`);
    return failed ? 1 : 0;
  }
}

async function inspectOne(
  engine: Engine,
  name: string,
  types: readonly InspectType[],
  { size, platform }: InspectOptions,
): Promise<unknown> {
  for (const type of types) {
    try {
      if (type === "container" && size) return await engine.container.inspect(name, { size });
      if (type === "image" && platform !== undefined) return await engine.image.inspect(name, { platform });
      return await engine[type].inspect(name);
    } catch (error) {
      // Several types: the name may be one of the next, and a text that is no image name at all is simply not found.
      const next = error instanceof RtError && /^(not-found|invalid-argument)$/.test(error.code);
      if (!next || types.length === 1) throw error;
    }
  }
  throw new RtError("not-found", `No such object: ${name}`, { exitCode: 1 });
}

export default class InspectCommand extends InspectBase {
  static override usage: Usage = {
    category: "Containers",
    description: "Show all that is known of containers, images, volumes and networks, as JSON",
    examples: [
      ["How a container ended", "$0 inspect -f '{{.State.Status}} {{.State.ExitCode}}' web"],
      [
        "An image's environment",
        "$0 inspect --type image -f '{{range .Config.Env}}{{println .}}{{end}}' alpine",
      ],
    ],
  };

  size = Option.Boolean("-s,--size", false, { description: sizeWords });
  type = Option.String("--type", {
    description: "`TYPE` Only this type: container, image, volume, network or exec",
  });

  override async execute(): Promise<number> {
    return this.inspect(parseType(this.type), { size: this.size });
  }
}

function parseType(text: string | undefined): readonly InspectType[] {
  if (text === undefined || text === "") return inspectTypes;
  const type = inspectTypes.find((known) => known === text);
  if (type !== undefined) return [type];
  throw invalid(`invalid --type ${quote(text)}: want container, image, volume, network or exec`);
}
