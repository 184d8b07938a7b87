import {
  parseAlias,
  parseEndpointOption,
  parseLink,
  parseMac,
  parseNetworkAddress,
  parseNetworkAddress6,
  parsePriority,
} from "../../settings/network.ts";
import { Option, RtCommand, type Usage } from "../command.ts";

export default class NetworkConnectCommand extends RtCommand {
  static override usage: Usage = {
    category: "Networks",
    description: "Put a container into one more network",
    details: `
      One that runs gets another interface at once, the first ethN that it does not have; others get it with their next start.
    `,
    examples: [
      ["A container that was started in another one", "$0 network connect shop web"],
      [
        "With a name and an address of its own there",
        "$0 network connect --alias db --ip 10.5.0.9 lab store",
      ],
    ],
  };
  static override later = { "link-local-ip": "it comes in a later version" };

  aliases = Option.Array("--alias", [], { description: "`NAME` Another name of it in the network" });
  options = Option.Array("--driver-opt", [], { description: "`KEY=VALUE` Option of the driver" });
  priority = Option.String("--gw-priority", "0", {
    description: "`N` The default route leads where this is highest (default 0)",
  });
  ip = Option.String("--ip", "", { description: "`ADDRESS` Its address in the network, as 172.18.0.5" });
  ip6 = Option.String("--ip6", "", { description: "`ADDRESS` Its address of IPv6 in the network" });
  links = Option.Array("--link", [], {
    description: "`NAME[:ALIAS]` Another container, by a name of its own",
  });
  macAddress = Option.String("--mac-address", "", { description: "`MAC` Of its interface" });
  network = Option.String({ name: "NETWORK" });
  container = Option.String({ name: "CONTAINER" });

  override async execute(): Promise<number> {
    const options = this.options.map((text) => parseEndpointOption(text, "--driver-opt"));
    const asked = {
      aliases: this.aliases.map((text) => parseAlias(text, "--alias")),
      address: parseNetworkAddress(this.ip, "--ip"),
      address6: parseNetworkAddress6(this.ip6, "--ip6"),
      mac: parseMac(this.macAddress, "--mac-address"),
      links: this.links.map((text) => parseLink(text, "--link")),
      options: Object.fromEntries(options),
      priority: parsePriority(this.priority, "--gw-priority"),
    };
    const engine = await this.engine({ needsRoot: true });
    await engine.network.connect(this.network, this.container, asked);
    return 0;
  }
}
