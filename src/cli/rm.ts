import { RtError } from "../base/errors.ts";
import { Option, RtCommand, type Usage } from "./command.ts";
import { forEachName } from "./each.ts";
import { messageOf } from "./report.ts";

export default class RmCommand extends RtCommand {
  static override paths = [["rm"], ["container", "rm"], ["container", "remove"]];
  static override usage: Usage = {
    category: "Containers",
    description: "Remove containers",
    examples: [["Remove a container, killing it if it runs", "$0 rm -f web"]],
  };
  static override later = { l: "links come with bridge networks", link: "links come with bridge networks" };

  force = Option.Boolean("-f,--force", false, {
    description: "Kill it first if it runs; no error if there is none",
  });
  volumes = Option.Boolean("-v,--volumes", false, { description: "Remove its anonymous volumes too" });
  containers = Option.Rest({ name: "CONTAINER", required: 1 });

  override async execute(): Promise<number> {
    this.requireRoot();
    const [{ removeContainer }, host] = await Promise.all([import("../engine/rm.ts"), this.host()]);
    return await forEachName(this.containers, this.context, async (name) => {
      try {
        await removeContainer(host, name, { force: this.force, volumes: this.volumes });
      } catch (error) {
        if (!this.force || !(error instanceof RtError) || error.code !== "not-found") throw error;
        // As Docker: told, but no failure, so that a script can clean up what may not be there.
        this.context.stderr.write(`rt: ${messageOf(error)}\n`);
        return "";
      }
      return `${name}\n`;
    });
  }
}
