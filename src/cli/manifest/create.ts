import { Option, RtCommand, type Usage } from "../command.ts";
import { dockerStatus } from "../output/docker-status.ts";
import { insecureFlags } from "./insecure.ts";

export default class ManifestCreateCommand extends RtCommand {
  static override usage: Usage = {
    category: "Manifests",
    description: "Make a list of images for several platforms",
    details: `
      A MANIFEST is the image that is here by exactly this name, or else what the registry has. One that was made here has to
      be pushed first. The list is kept here until it is pushed or removed, and what is here of its images with it.
    `,
    examples: [["A list of two", "$0 manifest create team/app:2 team/app:2-amd64 team/app:2-arm64"]],
  };

  amend = Option.Boolean("-a,--amend", false, { description: "Add to a list that is there" });
  insecure = insecureFlags.insecure();
  tlsVerify = insecureFlags.tlsVerify();

  list = Option.String({ name: "LIST" });
  manifests = Option.Rest({ name: "MANIFEST", required: 1 });

  override async execute(): Promise<number> {
    const engine = await this.engine({ needsRoot: true });
    const tlsVerify = this.tlsVerify && !this.insecure;
    const { amend } = this;
    const name = await dockerStatus(engine.manifest.create(this.list, this.manifests, { amend, tlsVerify }));
    this.context.stdout.write(`Created manifest list ${name}\n`);
    return 0;
  }
}
