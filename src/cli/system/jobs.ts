import { resolvePaths } from "../../base/paths.ts";
import { ago } from "../../docker/container-summary.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { renderRows } from "../format/rows.ts";

const usual = "table {{.ID}}\t{{.Age}}\t{{.Name}}\t{{.Target}}";
const headings = { ID: "JOB", Age: "AGE", Name: "NAME", Since: "SINCE", Target: "TARGET" };

export default class JobsCommand extends RtCommand {
  static override usage: Usage = {
    category: "System",
    description: "List what a daemon is doing for its clients",
    details: `
      Each request is a job, until it is answered or its client goes. Without -H or a context it is the daemon of this host that is
      asked. Fields of --format: .ID .Name .Target .Since .Age.
    `,
    examples: [["Those of another host", "$0 -H ssh://box system jobs"]],
  };

  format = Option.String("--format", {
    description: "`FORMAT` json, or a Go template, or table and a template",
  });

  override async execute(): Promise<number> {
    const { env, place } = this.context;
    if (!place?.host && !place?.context && !env.RT_HOST && !env.RT_CONTEXT) {
      const { root, state } = this;
      const paths = resolvePaths({ ...(root && { root }), ...(state && { state }) }, env);
      this.context = {
        ...this.context,
        place: { asDocker: false, ...place, host: `unix://${paths.state}/rt.sock` },
      };
      [this.root, this.state] = [undefined, undefined];
    }
    const engine = await this.engine();
    const now = Date.now();
    const rows = (await engine.system.jobs()).map(({ ID, Name, Target, Since }) => ({
      ...{ ID, Name, Target, Since },
      Age: ago(Since, now),
    }));
    const asked = this.format || "table";
    this.context.stdout.write(renderRows(asked === "table" ? usual : asked, { rows, headings }));
    return 0;
  }
}
