import { Option, RtCommand, type Usage } from "../command.ts";

export default class CommitCommand extends RtCommand {
  static override usage: Usage = {
    category: "Images",
    description: "Make an image of what a container has",
    details: `
      Its image, what it changed of its files, and what it was told to be. What is in volumes is not part of it. A running
      container stands still while its files are read.

      Changes are lines of a Dockerfile: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME
      and WORKDIR.
    `,
    examples: [
      ["What was set up by hand", "$0 commit -m 'with curl' web team/web:curl"],
      ["With another command", "$0 commit -c 'CMD [\"httpd\", \"-f\"]' -c 'EXPOSE 80' web team/web"],
    ],
  };

  author = Option.String("-a,--author", "", { description: "`NAME` Who made it" });
  changes = Option.Array("-c,--change", [], { description: "`INSTRUCTION` Of a Dockerfile, as 'ENV A=b'" });
  message = Option.String("-m,--message", "", { description: "`TEXT` What was done" });
  pause = Option.Boolean("-p,--pause", true, {
    description: "The container stands still meanwhile (default true)",
  });
  container = Option.String({ name: "CONTAINER" });
  reference = Option.String({ name: "REPOSITORY[:TAG]", required: false });

  override async execute(): Promise<number> {
    const { author, message: comment, changes, pause, reference } = this;
    const engine = await this.engine({ needsRoot: true });
    const options = { reference, author, comment, changes, pause };
    this.context.stdout.write(`${await engine.container.commit(this.container, options)}\n`);
    return 0;
  }
}
