import { callerPath } from "../../base/working-directory.ts";
import { Option, RtCommand, type Usage } from "../command.ts";

export default class ImportCommand extends RtCommand {
  static override usage: Usage = {
    category: "Images",
    description: "Make an image of a root file system's tar archive",
    details: `
      From a file, from an address with http: or https:, or from stdin with "-". The archive is plain, or compressed with gzip or
      zstd; one compressed with bzip2 or xz is to be decompressed first. The image has one layer, and no command unless one is
      given.

      Changes are lines of a Dockerfile: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME
      and WORKDIR.
    `,
    examples: [
      ["A Debian root", "debootstrap stable root && tar -C root -c . | $0 import - debian:own"],
      ["With a command", "$0 import -c 'CMD [\"sh\"]' rootfs.tar.gz team/base:1"],
    ],
  };

  changes = Option.Array("-c,--change", [], { description: "`INSTRUCTION` Of a Dockerfile, as 'ENV A=b'" });
  message = Option.String("-m,--message", "", { description: "`TEXT` What it is" });
  platform = Option.String("--platform", {
    description: "`PLATFORM` What the files are for, as linux/arm64",
  });

  source = Option.String({ name: "FILE|URL|-" });
  reference = Option.String({ name: "REPOSITORY[:TAG]", required: false });

  override async execute(): Promise<number> {
    const { changes, message, platform, reference } = this;
    const isPath = this.source !== "-" && !/^https?:/i.test(this.source);
    const source = isPath ? callerPath(this.source, "the archive") : this.source;
    const engine = await this.engine({ needsRoot: true });
    const id = await engine.image.import({ source, reference, changes, message, platform });
    this.context.stdout.write(`${id}\n`);
    return 0;
  }
}
