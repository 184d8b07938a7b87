import { RtError } from "../../base/errors.ts";
import { invalid, quote } from "../../base/invalid.ts";
import { egressOption, parseEgress } from "../../settings/egress.ts";
import { cut, parseLabels } from "../../settings/labels.ts";
import { Option, RtCommand, type Usage } from "../command.ts";

export default class NetworkCreateCommand extends RtCommand {
  static override usage: Usage = {
    category: "Networks",
    description: "Create a network",
    details: `
      Without --subnet it gets one that overlaps no other network's and no route of this host. Options of the bridge driver:
      com.docker.network.bridge.name, .enable_ip_masquerade, .enable_icc, .host_binding_ipv4, .gateway_mode_ipv4 and _ipv6
      (nat, nat-unprotected, isolated), .inhibit_ipv4, .trusted_host_interfaces; com.docker.network.driver.mtu,
      com.docker.network.container_iface_prefix; mtu, icc, isolate=false (it and others of that kind reach each other);
      rt.host-access=false (the host's services are closed to its containers), rt.guard=false (they may take other addresses).

      macvlan and ipvlan put containers on the wire of an interface of this host: parent=eth0, or parent=eth0.20 with a tag.
      Without it they reach nobody but each other. macvlan_mode is bridge, private, vepa or passthru; ipvlan_mode l2, l3 or l3s;
      ipvlan_flag bridge, private or vepa. Their gateway is the router's, where one is named; ports are not published there.
    `,
    examples: [
      ["A network, and a container in it", "$0 network create shop"],
      ["", "$0 run -d --network shop --name web app"],
      ["With addresses of your own", "$0 network create --subnet 10.5.0.0/16 --ip-range 10.5.1.0/24 lab"],
      ["Without IPv4", "$0 network create --ipv4=false --ipv6 six"],
      ["One that leads nowhere else", "$0 network create --internal vault"],
      [
        "On the wire of eth0",
        "$0 network create -d macvlan -o parent=eth0 --subnet 192.0.2.0/24 --gateway 192.0.2.1 lan",
      ],
    ],
  };
  static override later = {
    "config-from": "rt has no swarm",
    "config-only": "rt has no swarm",
    ingress: "rt has no swarm",
    "ipam-opt": "it comes in a later version",
  };

  attachable = Option.Boolean("--attachable", false, { description: "Shown by inspect: rt has no swarm" });
  auxiliary = Option.Array("--aux-address", [], {
    description: "`NAME=ADDRESS` An address that no container gets",
  });
  driver = Option.String("-d,--driver", "bridge", {
    description: "`NAME` bridge (default), macvlan or ipvlan",
  });
  egressAllow = Option.Array("--egress-allow", [], {
    description: "`TO` Close all but NAME, *.NAME, ADDRESS or CIDR, with :PORT or without, or none",
  });
  gateways = Option.Array("--gateway", [], {
    description: "`ADDRESS` The host's address in the subnet, or the router's",
  });
  ipamDriver = Option.String("--ipam-driver", "default", {
    description: "`NAME` default is the one that there is",
  });
  internal = Option.Boolean("--internal", false, { description: "It leads nowhere else" });
  ranges = Option.Array("--ip-range", [], { description: "`CIDR` Where containers get addresses from" });
  ipv4 = Option.Boolean("--ipv4", true, { description: "With addresses of IPv4; --ipv4=false without" });
  ipv6 = Option.Boolean("--ipv6", false, { description: "With addresses of IPv6 too" });
  labels = Option.Array("--label", [], { description: "`KEY[=VALUE]` Label" });
  options = Option.Array("-o,--opt", [], { description: "`KEY[=VALUE]` Option of the driver" });
  scope = Option.String("--scope", "local", { description: "`SCOPE` local is the one that there is" });
  subnets = Option.Array("--subnet", [], { description: "`CIDR` Its addresses, as 10.1.0.0/16" });
  name = Option.String({ name: "NETWORK" });

  override async execute(): Promise<number> {
    const labels = parseLabels(this.labels, "--label");
    const auxiliary = Object.fromEntries(this.auxiliary.map((text) => auxiliaryOf(text)));
    const pairs = this.options.map((text) => cut(text)).map(([key, value]) => [key, value ?? ""]);
    const options: Record<string, string> = Object.fromEntries(pairs);
    if (this.egressAllow.length > 0) {
      const all = this.egressAllow.map((text) => parseEgress(text, "--egress-allow"));
      options[egressOption] = [...(options[egressOption]?.split(",") ?? []), ...all].join(",");
    }
    if (this.ipamDriver !== "default")
      throw wrong(
        "not-found",
        `could not find an available IPAM driver ${quote(this.ipamDriver)}: want default`,
      );
    if (this.scope !== "local")
      throw wrong("invalid-argument", `invalid --scope ${quote(this.scope)}: want local, rt has no swarm`);
    const engine = await this.engine({ needsRoot: true });
    const { attachable, driver, internal, ipv4, ipv6, name } = this;
    const [subnets, gateways, ranges] = [this.subnets, this.gateways, this.ranges].map(listed);
    const pools = { subnets: subnets!, gateways: gateways!, ranges: ranges!, auxiliary };
    const asked = { name, driver, labels, options, internal, attachable, ipv4, ipv6, ...pools };
    this.context.stdout.write(`${await engine.network.create(asked)}\n`);
    return 0;
  }
}

function wrong(code: "not-found" | "invalid-argument", message: string): RtError {
  return new RtError(code, message, { exitCode: 1 });
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
