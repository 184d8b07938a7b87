import { cut, parseLabels } from "../../settings/labels.ts";
import { Option, RtCommand, type Usage } from "../command.ts";

export default class VolumeCreateCommand extends RtCommand {
  static override usage: Usage = {
    category: "Volumes",
    description: "Create a volume",
    details: `
      Without a name it gets one of 64 digits. One of this name that is there already is left as it is.
    `,
    examples: [
      ["A volume, and a container that keeps its data in it", "$0 volume create data"],
      ["", "$0 run --rm -v data:/data alpine touch /data/file"],
    ],
  };
  static override later = {
    availability: "rt has no swarm",
    group: "rt has no swarm",
    scope: "rt has no swarm",
    sharing: "rt has no swarm",
    topology: "rt has no swarm",
  };

  driver = Option.String("-d,--driver", "local", { description: "`NAME` Volume driver (default local)" });
  labels = Option.Array("--label", [], { description: "`KEY[=VALUE]` Label" });
  options = Option.Array("-o,--opt", [], { description: "`KEY[=VALUE]` Option of the driver" });
  name = Option.String({ name: "VOLUME", required: false });

  override async execute(): Promise<number> {
    const labels = parseLabels(this.labels, "--label");
    const pairs = this.options.map((text) => cut(text)).map(([key, value]) => [key, value ?? ""]);
    const options: Record<string, string> = Object.fromEntries(pairs);
    const engine = await this.engine({ needsRoot: true });
    const { driver, name = "" } = this;
    const { Name } = await engine.volume.create({ name, driver, labels, options });
    this.context.stdout.write(`${Name}\n`);
    return 0;
  }
}
