import { RtError } from "../../base/errors.ts";
import { usualNetwork } from "../../settings/namespace-mode.ts";
import type { Host } from "../host.ts";
import type { Plan } from "./plan.ts";

/**
 * Containers of whose network the configuration says nothing are in the usual one, where this kernel can have it: that of an
 * initramfs may lack bridges, or nftables, and has no modules. There they have the loopback interface alone, which is told.
 */
export async function withUsualNetwork(
  host: Host,
  plans: readonly Plan[],
  say: (line: string) => void,
): Promise<readonly Plan[]> {
  const silent = plans.filter(({ saysNetwork }) => !saysNetwork);
  if (silent.length === 0) return plans;
  const networks = await host.networks();
  try {
    const network = networks.settled(networks.store.get(usualNetwork));
    networks.driver(network.driver, say).bringUp(network);
    return plans;
  } catch (error) {
    // Anything else is told by each of them.
    if (!(error instanceof RtError) || error.code !== "unsupported") return plans;
    const names = silent.map(({ container }) => container.name).join(", ");
    say(`no network for ${names}: ${error.message}`);
    return plans.map((plan) => (plan.saysNetwork ? plan : withoutNetwork(plan)));
  }
}

function withoutNetwork(plan: Plan): Plan {
  const { options, argv } = plan;
  const settings = { ...options.settings, networkMode: "none" };
  return { ...plan, options: { ...options, settings }, argv: ["--network=none", ...argv] };
}
