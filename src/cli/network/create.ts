import { invalid, quote } from "../../base/invalid.ts";
import { cut, parseLabels } from "../../settings/labels.ts";
import { Option, RtCommand, type Usage } from "../command.ts";

export default class NetworkCreateCommand extends RtCommand {
  static override usage: Usage = {
    category: "Networks",
    description: "Create a network",
    details: `
      Without --subnet it gets one that overlaps no other network's and no route of this host. Options of the bridge driver:
      com.docker.network.bridge.name, com.docker.network.driver.mtu, com.docker.network.bridge.enable_ip_masquerade.
    `,
    examples: [
      ["A network, and a container in it", "$0 network create shop"],
      ["", "$0 run -d --network shop --name web app"],
      ["With addresses of your own", "$0 network create --subnet 10.5.0.0/16 --ip-range 10.5.1.0/24 lab"],
      ["One that leads nowhere else", "$0 network create --internal vault"],
    ],
  };
  static override later = {
    attachable: "rt has no swarm",
    "config-from": "rt has no swarm",
    "config-only": "rt has no swarm",
    ingress: "rt has no swarm",
    "ipam-driver": "it comes in a later version",
    "ipam-opt": "it comes in a later version",
    ipv4: "networks without IPv4 come in a later version",
    scope: "rt has no swarm",
  };

  auxiliary = Option.Array("--aux-address", [], {
    description: "`NAME=ADDRESS` An address that no container gets",
  });
  driver = Option.String("-d,--driver", "bridge", { description: "`NAME` Network driver (default bridge)" });
  gateways = Option.Array("--gateway", [], { description: "`ADDRESS` The host's address in the subnet" });
  internal = Option.Boolean("--internal", false, { description: "It leads nowhere else" });
  ranges = Option.Array("--ip-range", [], { description: "`CIDR` Where containers get addresses from" });
  ipv6 = Option.Boolean("--ipv6", false, { description: "With addresses of IPv6 too" });
  labels = Option.Array("--label", [], { description: "`KEY[=VALUE]` Label" });
  options = Option.Array("-o,--opt", [], { description: "`KEY[=VALUE]` Option of the driver" });
  subnets = Option.Array("--subnet", [], { description: "`CIDR` Its addresses, as 10.1.0.0/16" });
  name = Option.String({ name: "NETWORK" });

  override async execute(): Promise<number> {
    const labels = parseLabels(this.labels, "--label");
    const auxiliary = Object.fromEntries(this.auxiliary.map((text) => auxiliaryOf(text)));
    const pairs = this.options.map((text) => cut(text)).map(([key, value]) => [key, value ?? ""]);
    const options: Record<string, string> = Object.fromEntries(pairs);
    const engine = await this.engine({ needsRoot: true });
    const { driver, internal, ipv6, name } = this;
    const [subnets, gateways, ranges] = [this.subnets, this.gateways, this.ranges].map(listed);
    const pools = { subnets: subnets!, gateways: gateways!, ranges: ranges!, auxiliary };
    const asked = { name, driver, labels, options, internal, ipv6, ...pools };
    this.context.stdout.write(`${await engine.network.create(asked)}\n`);
    return 0;
  }
}

/** Docker takes several in one value, too. */
function listed(values: readonly string[]): string[] {
  return values.flatMap((value) => value.split(","));
}

function auxiliaryOf(text: string): [string, string] {
  const [name, address] = cut(text);
  if (name === "" || address === undefined)
    throw invalid(`invalid --aux-address ${quote(text)}: want NAME=ADDRESS`);
  return [name, address];
}
