import { RtError } from "../../base/errors.ts";
import { visible } from "../../base/visible.ts";
import { callerPath } from "../../base/working-directory.ts";
import type { LoadedImage } from "../../engine/image/load.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { layerReporter, pullWordings } from "../output/layer-progress.ts";
import { isTerminal } from "../session.ts";

export default class LoadCommand extends RtCommand {
  static override usage: Usage = {
    category: "Images",
    description: "Bring images here from a tar archive that save wrote",
    details: `
      From stdin, or from a file. It takes what rt, docker, podman, skopeo, containerd and BuildKit write: OCI layouts in a tar,
      and docker's older form with manifest.json alone; plain, or compressed with gzip or zstd. All images of the archive are
      loaded, under all of their names.

      Of an image for several platforms that of this machine is taken, or of --platform.
    `,
    examples: [
      ["From a file", "$0 load -i images.tar"],
      ["From another host", "ssh host docker save alpine | $0 load"],
    ],
  };

  input = Option.String("-i,--input", { description: "`FILE` Read this file instead of stdin" });
  platform = Option.String("--platform", {
    description: "`PLATFORM` Platform of the images, as linux/amd64",
  });
  quiet = Option.Boolean("-q,--quiet", false, { description: "No progress" });

  override async execute(): Promise<number> {
    const input = this.input === undefined ? undefined : callerPath(this.input, "--input");
    if (input === undefined && isTerminal(0)) {
      const why = "requested load from stdin, but stdin is empty";
      throw new RtError("invalid-argument", why, { exitCode: 1 });
    }
    const engine = await this.engine({ needsRoot: true });
    const { stdout } = this.context;
    const reporter = this.quiet || !stdout.isTerminal ? undefined : layerReporter(stdout, pullWordings);
    const onLoaded = (image: LoadedImage) => {
      reporter?.end();
      stdout.write(linesOf(image));
    };
    await engine.image
      .load({ input, platform: this.platform, onLoaded, onProgress: (progress) => reporter?.layer(progress) })
      .finally(() => reporter?.end());
    return 0;
  }
}

function linesOf({ id, names, taken }: LoadedImage): string {
  const moved = taken.map(
    ({ name, from }) =>
      `The image ${visible(name)} already exists, renaming the old one with ID ${from} to empty string`,
  );
  const loaded =
    names.length > 0 ? names.map((name) => `Loaded image: ${visible(name)}`) : [`Loaded image ID: ${id}`];
  return [...moved, ...loaded].map((line) => `${line}\n`).join("");
}
