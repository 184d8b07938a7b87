import { RtError, withExitCode } from "../../base/errors.ts";
import { visible } from "../../base/visible.ts";
import type { ContainerInspect } from "../../docker/container-inspect.ts";
import { hostPlace } from "../../docker/container-ports.ts";
import { parsePort, parsePublish } from "../../settings/port.ts";
import { Option, RtCommand, type Usage } from "../command.ts";

export default class PortCommand extends RtCommand {
  static override usage: Usage = {
    category: "Containers",
    description: "Show which ports of the host lead to a container, or change that while it runs",
    details: `
      With CONTAINER alone all of them; with PORT[/PROTOCOL], a port of the container, those that lead there.

      "add" publishes ports of a container that runs, each SPEC as that of run -p, and "rm" takes them back; a restart keeps to
      it. A container that is called add or rm is meant where there are fewer than three words.
    `,
    examples: [
      ["Where to find its port 80", "$0 port web 80/tcp"],
      ["Publish one more, and take it back", "$0 port add web 8443:443 && $0 port rm web 8443:443"],
    ],
  };

  static override forms = ["CONTAINER [PORT[/PROTOCOL]]", "add CONTAINER SPEC ...", "rm CONTAINER SPEC ..."];

  container = Option.String({ name: "CONTAINER" });
  port = Option.String({ name: "PORT[/PROTOCOL]", required: false });
  specs = Option.Rest({ name: "SPEC" });

  override async execute(): Promise<number> {
    const { container, port, specs } = this;
    if (port !== undefined && specs.length > 0) return this.#change(container, port, specs);
    if ((container === "add" || container === "rm") && port !== undefined && !/^\d/.test(port))
      throw wrong(`"port ${container}" needs CONTAINER and SPEC, a port as run -p has it`);
    const wanted = port === undefined ? undefined : asked(() => parsePort(port, "port"));
    const engine = await this.engine();
    const ports = portsOf(await engine.container.inspect(container));
    const { stdout } = this.context;
    if (!wanted) {
      for (const { key, place } of ports) stdout.write(`${visible(key)} -> ${place}\n`);
      return 0;
    }
    const key = `${wanted.port}/${wanted.protocol}`;
    const places = ports.filter((each) => each.key === key);
    for (const { place } of places) stdout.write(`${place}\n`);
    if (places.length > 0) return 0;
    const message = `No public port '${port}' published for ${container}`;
    throw new RtError("not-found", message, { exitCode: 1 });
  }

  async #change(verb: string, container: string, specs: readonly string[]): Promise<number> {
    if (verb !== "add" && verb !== "rm")
      throw wrong(`"port" takes CONTAINER and PORT: ${specs[0]} is too much`);
    const wishes = asked(() => specs.flatMap((text) => parsePublish(text, "port")));
    const { container: verbs } = await this.engine({ needsRoot: true });
    await (verb === "add" ? verbs.publish(container, wishes) : verbs.unpublish(container, wishes));
    return 0;
  }
}

function wrong(message: string): RtError {
  return new RtError("invalid-argument", message, { exitCode: 1 });
}

/** What is wrong with a word is this verb's own failure. */
function asked<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw withExitCode(error, 1);
  }
}

/** By the container's, in their order. */
function portsOf(document: ContainerInspect): { key: string; place: string }[] {
  const ports = "NetworkSettings" in document ? document.NetworkSettings.Ports : {};
  return Object.entries(ports).flatMap(([key, places]) =>
    (places ?? []).map(({ HostIp, HostPort }) => ({
      key,
      // Another host's engine says it.
      place: visible(hostPlace({ address: HostIp, port: HostPort })),
    })),
  );
}
