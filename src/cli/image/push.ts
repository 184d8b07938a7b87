import { RtError } from "../../base/errors.ts";
import type { PushProgress, SentImage } from "../../engine/image/push.ts";
import { isNear, isSsh, kindOf } from "../../reference/kind.ts";
import { canonical, familiarName, parse, type Reference, repositoryOf } from "../../reference/reference.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { layerReporter, pushWordings } from "../output/layer-progress.ts";

export default class PushCommand extends RtCommand {
  static override usage: Usage = {
    category: "Images",
    description: "Send an image to a registry, an archive or a directory",
    details: `
      DESTINATION is where REFERENCE itself leads unless it is given: a name of a registry's ("ghcr.io/a/b:1.2"),
      oci:DIRECTORY[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME], or ssh://[USER@]HOST[:PORT][/NAME], an rt on
      another host. A file is replaced, a directory added to. What is there already does not travel again, and what came in goes out byte for byte: an image that was pulled has the same digest where it is pushed. To a
      registry, layers that are not compressed (those of rt commit) go as gzip. With --compression all go in that form;
      those that have it stay as they are.
    `,
    examples: [
      ["To a registry", "$0 push registry.example.org/team/app:2"],
      ["Under another name", "$0 push app registry.example.org/team/app:2"],
      ["To a directory that other tools read", "$0 push app oci:./app:2"],
    ],
  };

  allTags = Option.Boolean("-a,--all-tags", false, { description: "All tags that the repository has here" });
  compression = Option.String("--compression", {
    description: "`gzip|zstd|uncompressed` How layers are compressed there",
  });
  compressionLevel = Option.String("--compression-level", {
    description: "`N` gzip: 1 to 9 (default 6); zstd: 1 to 20 (default 3)",
  });
  forceCompression = Option.Boolean("--force-compression", false, {
    description: "Compress again what is so compressed already",
  });
  platform = Option.String("--platform", { description: "`PLATFORM` Only the image for it, as linux/amd64" });
  quiet = Option.Boolean("-q,--quiet", false, { description: "Print only the name" });
  tlsVerify = Option.Boolean("--tls-verify", true, {
    description: "Insist on TLS that verifies (default true); =false allows plain http too",
  });

  reference = Option.String({ name: "REFERENCE" });
  destination = Option.String({ name: "DESTINATION", required: false });

  override async execute(): Promise<number> {
    if (this.allTags) this.#checkAllTags();
    const where = this.destination ?? this.reference;
    const engine = await this.engine({ needsRoot: !isSsh(where) });
    const { stdout } = this.context;
    const name = isNear(where) ? undefined : parse(kindOf(where).rest);
    let heading = name && !this.quiet ? this.#heading(where, name) : "";
    const begin = () => {
      stdout.write(heading);
      heading = "";
    };
    const reporter = this.quiet ? undefined : layerReporter(stdout, pushWordings);
    const { platform, tlsVerify, compression, forceCompression } = this;
    const level = this.compressionLevel;
    // What is no number is no level of any form.
    const compressionLevel = level === undefined ? level : /^\d+$/.test(level) ? Number(level) : Number.NaN;
    const how = { platform, tlsVerify, compression, compressionLevel, forceCompression };
    const onProgress = (progress: PushProgress) => {
      begin();
      reporter?.layer(progress);
    };
    const tell = (tag: string, { digest, size }: SentImage) => {
      begin();
      reporter?.end();
      if (!this.quiet) stdout.write(`${tag}: digest: ${digest} size: ${size}\n`);
    };
    try {
      if (this.allTags) await engine.image.pushAll(this.reference, { ...how, onProgress, onSent: tell });
      else {
        const { destination } = this;
        const sent = await engine.image.push(this.reference, { destination, ...how, onProgress });
        tell(name?.tag ?? where, sent);
      }
    } catch (error) {
      // As docker does; of words that mean nothing there is no push.
      if (!(error instanceof RtError && error.code === "invalid-argument")) begin();
      throw error;
    } finally {
      reporter?.end();
    }
    if (this.quiet) stdout.write(`${name ? canonical(name) : where}\n`);
    return 0;
  }

  /** Docker's. */
  #heading(where: string, name: Reference): string {
    const isBare = !this.allTags && familiarName(name) === kindOf(where).rest;
    const using = isBare ? `Using default tag: ${name.tag}\n` : "";
    return `${using}The push refers to repository [${repositoryOf(name)}]\n`;
  }

  #checkAllTags(): void {
    if (this.destination !== undefined)
      throw new RtError(
        "invalid-argument",
        "--all-tags sends to where the names lead, and takes no DESTINATION",
      );
    const { rest } = kindOf(this.reference);
    const { tag, digest } = parse(rest);
    if (digest || rest.endsWith(`:${tag}`))
      throw new RtError("invalid-argument", "tag can't be used with --all-tags/-a", { exitCode: 1 });
  }
}
