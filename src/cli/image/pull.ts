import { visible } from "../../base/visible.ts";
import type { LayerProgress } from "../../engine/image/pull.ts";
import { isSsh, kindOf } from "../../reference/kind.ts";
import { parse } from "../../reference/reference.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { layerReporter, pullWordings } from "../output/layer-progress.ts";

export default class PullCommand extends RtCommand {
  static override usage: Usage = {
    category: "Images",
    description: "Bring an image here from a registry, an archive or a directory",
    details: `
      REFERENCE is a name ("alpine", "ghcr.io/a/b:1.2", "name@sha256:..."), or oci:DIRECTORY[:TAG], oci-archive:FILE[:TAG]
      or docker-archive:FILE[:NAME]. An image that has several names there gets the first, unless one is given.
      ssh://[USER@]HOST[:PORT]/NAME is an image that an rt on another host has.
      Credentials are those that docker login or podman login wrote. Mirrors and registries without TLS are set in
      /etc/rt/config.toml or ~/.config/rt/config.toml.

      A transfer that broke off goes on where it stopped, also by a later pull.
    `,
    examples: [
      ["An image of Docker Hub", "$0 pull alpine:3.20"],
      ["What docker save wrote", "$0 pull docker-archive:images.tar:alpine"],
      ["What skopeo or a build left in a directory", "$0 pull oci:./build:latest"],
    ],
  };
  static override later = {
    a: "pull one tag at a time",
    "all-tags": "pull one tag at a time",
    "disable-content-trust": "signatures are not checked; digests always are",
  };

  platform = Option.String("--platform", { description: "`PLATFORM` Platform of the image, as linux/amd64" });
  quiet = Option.Boolean("-q,--quiet", false, { description: "Print only the image's full name" });
  tlsVerify = Option.Boolean("--tls-verify", true, {
    description: "Insist on TLS that verifies (default true); =false allows plain http too",
  });

  reference = Option.String({ name: "REFERENCE" });

  override async execute(): Promise<number> {
    const engine = await this.engine({ needsRoot: !isSsh(this.reference) });
    const { stdout } = this.context;
    const reporter = this.quiet ? undefined : layerReporter(stdout, pullWordings);
    let begun = false;
    const onProgress = (progress: LayerProgress) => {
      if (reporter && !begun) stdout.write(`${visible(heading(this.reference))}\n`);
      begun = true;
      reporter?.layer(progress);
    };
    const result = await engine.image
      .pull(this.reference, {
        platform: this.platform,
        tlsVerify: this.tlsVerify,
        onProgress,
      })
      .finally(() => reporter?.end());
    if (reporter) {
      stdout.write(`Digest: ${result.target}\n`);
      const what = result.status === "downloaded" ? "Downloaded newer image for" : "Image is up to date for";
      stdout.write(`Status: ${what} ${result.familiar}\n`);
    }
    stdout.write(`${result.name}\n`);
    return 0;
  }
}

/** Docker's "3.20: Pulling from library/alpine". */
function heading(text: string): string {
  const { kind, rest } = kindOf(text);
  if (kind !== "registry") return `Pulling from ${text}`;
  const { path, tag, digest } = parse(rest);
  return `${digest ?? tag}: Pulling from ${path}`;
}
