import { indentJson } from "../../base/json-indent.ts";
import { visibleJsonText } from "../../base/visible.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { dockerStatus } from "../output/docker-status.ts";
import { insecureFlags } from "./insecure.ts";

export default class ManifestInspectCommand extends RtCommand {
  static override usage: Usage = {
    category: "Manifests",
    description: "Show an image's manifest, or a list",
    details: `
      Of a list that was made here, if there is one of this name; else what the registry has, without bringing it here. Files
      are read too: oci:DIRECTORY[:TAG] and the like.
    `,
    examples: [
      ["For which platforms there is an image", "$0 manifest inspect alpine:3.20"],
      ["With the manifests that an index names", "$0 manifest inspect -v alpine:3.20"],
      ["One image of a list that was made here", "$0 manifest inspect team/app:2 team/app:2-arm64"],
    ],
  };
  static override forms = ["[OPTIONS] MANIFEST", "[OPTIONS] LIST MANIFEST"];

  insecure = insecureFlags.insecure();
  tlsVerify = insecureFlags.tlsVerify();
  verbose = Option.Boolean("-v,--verbose", false, { description: "With digests, platforms and layers" });

  first = Option.String({ name: "MANIFEST" });
  second = Option.String({ name: "MANIFEST", required: false });

  override async execute(): Promise<number> {
    const engine = await this.engine({ needsRoot: true });
    const [list, reference] = this.second === undefined ? [undefined, this.first] : [this.first, this.second];
    const { verbose } = this;
    const tlsVerify = this.tlsVerify && !this.insecure;
    const found = await dockerStatus(engine.manifest.inspect(reference, { list, verbose, tlsVerify }));
    const text =
      found.kind === "verbose"
        ? JSON.stringify(found.documents, undefined, "\t")
        : // Docker's manifests have tabs, and its lists what they were made with.
          indentJson(new TextDecoder().decode(found.bytes), found.kind === "index" ? "   " : "\t");
    this.context.stdout.write(`${visibleJsonText(text)}\n`);
    return 0;
  }
}
