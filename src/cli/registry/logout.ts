import { visible } from "../../base/visible.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { dockerStatus } from "../output/docker-status.ts";

export default class LogoutCommand extends RtCommand {
  static override usage: Usage = {
    category: "Registries",
    description: "Log out from a registry",
    details: `
      What a login has kept is taken out of docker's config.json, and out of the credential helper that it names. Docker Hub
      is meant unless SERVER is given.
    `,
    examples: [["A registry", "$0 logout registry.example.org"]],
  };

  server = Option.String({ name: "SERVER", required: false });

  override async execute(): Promise<number> {
    const engine = await this.engine();
    const what = this.server?.replace(/^https?:\/\//i, "").split("/", 1)[0] || "https://index.docker.io/v1/";
    this.context.stdout.write(`Removing login credentials for ${visible(what)}\n`);
    await dockerStatus(engine.registry.logout(this.server));
    return 0;
  }
}
