import { RtError } from "../../base/errors.ts";
import { Option, RtCommand, type Usage } from "../command.ts";

export default class PortCommand extends RtCommand {
  static override usage: Usage = {
    category: "Containers",
    description: "Show which ports of the host lead to a container",
    details: "Bridge networks come in a later version: until then no container has a published port.",
    examples: [["Where to find its port 80", "$0 port web 80/tcp"]],
  };

  container = Option.String({ name: "CONTAINER" });
  port = Option.String({ name: "PORT[/PROTOCOL]", required: false });

  override async execute(): Promise<number> {
    const { container, port } = this;
    const number = port === undefined ? undefined : /^(\d{1,5})(\/\w+)?$/.exec(port)?.[1];
    if (port !== undefined && (number === undefined || Number(number) > 65535))
      throw new RtError("invalid-argument", `invalid port (${port}): want a number`, { exitCode: 1 });
    const engine = await this.engine();
    await engine.container.inspect(container);
    if (port === undefined) return 0;
    const message = `No public port '${port}' published for ${container}`;
    throw new RtError("not-found", message, { exitCode: 1 });
  }
}
