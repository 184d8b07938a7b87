import { RtError } from "../../base/errors.ts";
import { invalid, quote } from "../../base/invalid.ts";
import { callerPath } from "../../base/working-directory.ts";
import type { SaveFormat } from "../../engine/image/save.ts";
import { Option, RtCommand, type Usage } from "../command.ts";

const formats: readonly SaveFormat[] = ["docker-archive", "oci-archive", "oci-dir"];

export default class SaveCommand extends RtCommand {
  static override usage: Usage = {
    category: "Images",
    description: "Write images into a tar archive, for rt load, docker load, podman load and skopeo",
    details: `
      To stdout, or to a file that appears when it is whole. Images that share layers share them there, and what came in goes
      out byte for byte: it is compressed as it was pulled. With --uncompressed its layers become plain tars, and its manifest is
      another one. A repository named without a tag is saved with all of its tags, and an image by ID without any.

      --format docker-archive (the default) is what docker writes since 25: an OCI layout with manifest.json beside it.
      oci-archive is the layout alone, and oci-dir the same as a directory, which -o names and which is added to.
    `,
    examples: [
      ["Two images to another host", "$0 save alpine:3.20 busybox | ssh host rt load"],
      ["Into a file", "$0 save -o images.tar alpine"],
    ],
  };

  output = Option.String("-o,--output", { description: "`FILE` Write to this file instead of stdout" });
  platform = Option.String("--platform", {
    description: "`PLATFORM[,PLATFORM]` Only the image for it, as linux/amd64",
  });
  format = Option.String("--format", {
    description: "`FORMAT` docker-archive, oci-archive or oci-dir (default docker-archive)",
  });
  uncompressed = Option.Boolean("--uncompressed", false, { description: "Layers as plain tars" });
  quiet = Option.Boolean("-q,--quiet", false, { description: "Nothing else is printed in any case" });

  images = Option.Rest({ name: "IMAGE", required: 1 });

  override async execute(): Promise<number> {
    const format = this.#format();
    const output = this.output === undefined ? undefined : callerPath(this.output, "--output");
    if (output === "") throw invalid("--output wants a path");
    if (format === "oci-dir" && output === undefined) throw invalid("--format oci-dir needs -o DIRECTORY");
    if (output === undefined && this.context.stdout.isTerminal) {
      const why = "cowardly refusing to save to a terminal. Use the -o flag or redirect";
      throw new RtError("invalid-argument", why, { exitCode: 1 });
    }
    const engine = await this.engine({ needsRoot: true });
    const platforms = this.platform?.split(",");
    const { uncompressed } = this;
    await engine.image.save(this.images, { format, output, platforms, uncompressed });
    return 0;
  }

  #format(): SaveFormat {
    const format = this.format ?? "docker-archive";
    const known = formats.find((each) => each === format);
    if (known) return known;
    throw invalid(`invalid --format ${quote(format)}: want ${formats.join(", ")}`);
  }
}
