import { resolve } from "node:path";
import { RtError } from "../../base/errors.ts";
import { humanSize } from "../../base/human-size.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { parseCopyPlace } from "../parse/copy-place.ts";

export default class CpCommand extends RtCommand {
  static override usage: Usage = {
    category: "Containers",
    description: "Copy files between a container and the host",
    details: `
      CONTAINER:PATH is a place in a container, running or not, its volumes included; other paths are the host's, and - is a
      tar archive on stdin or stdout. Into a directory that exists goes the source itself, or with /. at its end what is in
      it. Links of a container lead nowhere but into that container.
    `,
    examples: [
      ["A file out of a container", "$0 cp web:/etc/nginx/nginx.conf ."],
      ["What is in a directory into a container", "$0 cp site/. web:/usr/share/nginx/html"],
      ["A directory as an archive", "$0 cp web:/var/log - | tar t"],
    ],
  };

  archive = Option.Boolean("-a,--archive", false, {
    description: "Keep owners, set-id bits and devices on the host, too",
  });
  followLink = Option.Boolean("-L,--follow-link", false, {
    description: "Copy what a link at the source leads to",
  });
  quiet = Option.Boolean("-q,--quiet", false, { description: "Do not tell what was copied" });

  source = Option.String({ name: "SOURCE" });
  destination = Option.String({ name: "DESTINATION" });

  override async execute(): Promise<number> {
    const from = parseCopyPlace(this.source);
    const to = parseCopyPlace(this.destination);
    if (from.path === "") throw wrong("source can not be empty");
    if (to.path === "") throw wrong("destination can not be empty");
    const { archive, followLink } = this;
    if (from.container !== undefined && to.container !== undefined)
      throw wrong("copying between containers is not supported");
    if (from.container === undefined && to.container === undefined)
      throw wrong("must specify at least one container source");
    const engine = await this.engine({ needsRoot: true });
    const bytes =
      from.container !== undefined
        ? await engine.container.copyFrom(from.container, from.path, {
            ...{ archive, followLink },
            to: to.path === "-" ? undefined : hostPath(to.path),
          })
        : await engine.container.copyTo(to.container!, to.path, {
            followLink,
            from: from.path === "-" ? undefined : hostPath(from.path),
          });
    const { stdout, stderr } = this.context;
    if (!this.quiet && stdout.isTerminal && from.path !== "-" && to.path !== "-")
      stderr.write(`Successfully copied ${humanSize(bytes)} to ${this.destination}\n`);
    return 0;
  }
}

/** Absolute; a "/" or "/." at its end says something, and stays. */
function hostPath(path: string): string {
  const absolute = resolve(path);
  if (path === "." || path.endsWith("/.")) return `${absolute}/.`;
  return path.endsWith("/") && absolute !== "/" ? `${absolute}/` : absolute;
}

function wrong(message: string): RtError {
  return new RtError("invalid-argument", message, { exitCode: 1 });
}
