import { isNear } from "../../reference/kind.ts";
import { familiarName, parse } from "../../reference/reference.ts";
import { Option, RtCommand, type Usage } from "../command.ts";

export default class PushCommand extends RtCommand {
  static override usage: Usage = {
    category: "Images",
    description: "Send an image to a registry, an archive or a directory",
    details: `
      DESTINATION is where REFERENCE itself leads unless it is given: a name of a registry's ("ghcr.io/a/b:1.2"), or
      oci:DIRECTORY[:TAG]. What is there already does not travel again, and what came in goes out byte for byte: an image
      that was pulled has the same digest where it is pushed.
    `,
    examples: [
      ["To a registry", "$0 push registry.example.org/team/app:2"],
      ["Under another name", "$0 push app registry.example.org/team/app:2"],
      ["To a directory that other tools read", "$0 push app oci:./app:2"],
    ],
  };

  platform = Option.String("--platform", { description: "`PLATFORM` Only the image for it, as linux/amd64" });
  quiet = Option.Boolean("-q,--quiet", false, { description: "Print only the name" });
  tlsVerify = Option.Boolean("--tls-verify", true, {
    description: "Insist on TLS that verifies (default true); =false allows plain http too",
  });

  reference = Option.String({ name: "REFERENCE" });
  destination = Option.String({ name: "DESTINATION", required: false });

  override async execute(): Promise<number> {
    const engine = await this.engine({ needsRoot: true });
    const { stdout } = this.context;
    const where = this.destination ?? this.reference;
    const isFile = isNear(where);
    if (!this.quiet && !isFile)
      stdout.write(`The push refers to repository [${familiarName(parse(where))}]\n`);
    const sent = await engine.image.push(this.reference, {
      destination: this.destination,
      platform: this.platform,
      tlsVerify: this.tlsVerify,
    });
    const tag = isFile ? where : (parse(where).tag ?? "");
    stdout.write(this.quiet ? `${where}\n` : `${tag}: digest: ${sent.digest} size: ${sent.size}\n`);
    return 0;
  }
}
