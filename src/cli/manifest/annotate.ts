import { Option, RtCommand, type Usage } from "../command.ts";
import { dockerStatus } from "../output/docker-status.ts";

export default class ManifestAnnotateCommand extends RtCommand {
  static override usage: Usage = {
    category: "Manifests",
    description: "Say where an image of a list runs",
    details: "What is not given stays; at first it is what the image's own configuration says.",
    examples: [["An older ARM", "$0 manifest annotate --arch arm --variant v6 team/app:2 team/app:2-pi"]],
  };

  os = Option.String("--os", { description: "`OS` Operating system, as linux" });
  arch = Option.String("--arch", { description: "`ARCH` Architecture, as arm64" });
  variant = Option.String("--variant", { description: "`VARIANT` Of the architecture, as v7" });
  osVersion = Option.String("--os-version", { description: "`VERSION` Of the operating system" });
  osFeatures = Option.Array("--os-features", [], {
    description: "`FEATURE[,FEATURE]` That it needs of the operating system",
  });

  list = Option.String({ name: "LIST" });
  manifest = Option.String({ name: "MANIFEST" });

  override async execute(): Promise<number> {
    const engine = await this.engine({ needsRoot: true });
    const { os, arch, variant, osVersion } = this;
    const osFeatures = this.osFeatures.flatMap((text) => text.split(",")).filter((feature) => feature !== "");
    const annotation = { os, architecture: arch, variant, osVersion, osFeatures };
    await dockerStatus(engine.manifest.annotate(this.list, this.manifest, annotation));
    return 0;
  }
}
