import { RtError } from "../../base/errors.ts";
import { visible } from "../../base/visible.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { layerReporter, pushWordings } from "../output/layer-progress.ts";

export default class CopyImageCommand extends RtCommand {
  static override usage: Usage = {
    category: "Images",
    description: "Copy an image from one registry, host or file to another",
    details: `
      SOURCE and DESTINATION are what pull and push take: a name ("ghcr.io/a/b:1.2"), oci:DIRECTORY[:TAG], oci-archive:FILE[:TAG],
      docker-archive:FILE[:NAME], ssh://[USER@]HOST/NAME. Nothing is unpacked or stored here: what is missing there passes
      through, byte for byte, and within one registry does not even travel. So this needs neither root nor a namespace.

      Of an image for several platforms the one for this machine is copied, or for --platform; with --all it is the whole.
    `,
    examples: [
      ["From one registry to another, all platforms", "$0 image cp --all alpine registry.example.org/alpine"],
      ["Out of a registry into a directory", "$0 image cp ghcr.io/a/b:1.2 oci:./b:1.2"],
    ],
  };
  static override later = {
    "src-creds": "rt reads the credentials that login wrote",
    "dest-creds": "rt reads the credentials that login wrote",
    "preserve-digests": "they are always kept",
  };

  all = Option.Boolean("-a,--all", false, { description: "All platforms, with the index that names them" });
  platform = Option.String("--platform", {
    description: "`PLATFORM` The one to copy (default this machine's), as linux/amd64",
  });
  quiet = Option.Boolean("-q,--quiet", false, { description: "Print only the destination" });
  tlsVerify = Option.Boolean("--tls-verify", true, {
    description: "Insist on TLS that verifies, of both (default true)",
  });
  sourceTlsVerify = Option.Boolean("--src-tls-verify", true, {
    description: "Insist on TLS that verifies, of the source (default true)",
  });
  destinationTlsVerify = Option.Boolean("--dest-tls-verify", true, {
    description: "Insist on TLS that verifies, of the destination (default true)",
  });

  source = Option.String({ name: "SOURCE" });
  destination = Option.String({ name: "DESTINATION" });

  override async execute(): Promise<number> {
    if (this.all && this.platform !== undefined)
      throw new RtError(
        "invalid-argument",
        "--all copies every platform, so --platform has no meaning beside it",
      );
    const engine = await this.engine();
    const { stdout } = this.context;
    const reporter = this.quiet ? undefined : layerReporter(stdout, pushWordings);
    const { digest, size } = await engine.image
      .copy(this.source, this.destination, {
        all: this.all,
        platform: this.platform,
        sourceTlsVerify: this.tlsVerify && this.sourceTlsVerify,
        destinationTlsVerify: this.tlsVerify && this.destinationTlsVerify,
        onProgress: (progress) => reporter?.layer(progress),
      })
      .finally(() => reporter?.end());
    const where = visible(this.destination);
    stdout.write(this.quiet ? `${where}\n` : `${where}: digest: ${digest} size: ${size}\n`);
    return 0;
  }
}
