import { RtError } from "../../base/errors.ts";
import { holdsWithin } from "../../base/wait.ts";
import type { ContainerRecord } from "../../container/record.ts";
import { closeHeld } from "../../network/held-port.ts";
import { type Holding, holdPorts } from "../../network/hold-ports.ts";
import type { ContainerPort } from "../../network/port-store.ts";
import { checkStackPort } from "../../network/stack.ts";
import type { NetworkStack } from "../../settings/network-stack.ts";
import { allExposed, exposedPort, type PortWish } from "../../settings/port.ts";
import type { Host } from "../host.ts";
import { allocated, type TakenPorts, wishesFor } from "./ports.ts";

/** The program of its last run ends with that, and a moment after it is on record. */
const freeWithin_ms = 500;

/**
 * Ports of the host that a program will have for the container: on record from here on, so that no other container of ours gets
 * them, and free just now. The program itself binds them, before the container's runs.
 * @throws RtError conflict: one is taken; unsupported: the program carries no such port
 */
export async function takeStackPorts(
  host: Host,
  record: ContainerRecord,
  stack: NetworkStack,
): Promise<TakenPorts> {
  const { ports } = await host.networks();
  const wishes = wishesFor(record);
  for (const wish of wishes) checkStackPort(stack, wish);
  const shown = allExposed(record)
    .map(exposedPort)
    .filter((each) => !wishes.some(({ port, protocol }) => port === each.port && protocol === each.protocol));
  const exposed: ContainerPort[] = shown.map((each) => ({ ...each, host: undefined }));
  const holding = await heldSoon(wishes, standardAddress(stack));
  try {
    const clash = ports.take(record.id, [...holding.ports, ...exposed]);
    if (clash) throw allocated(clash);
  } finally {
    closeHeld(holding.held);
  }
  return { given: undefined, lead: () => {} };
}

/** slirp4netns has no ports at addresses of IPv6. */
function standardAddress({ kind }: NetworkStack): string {
  return kind === "slirp4netns" ? "0.0.0.0" : "";
}

async function heldSoon(wishes: readonly PortWish[], standard: string): Promise<Holding> {
  let refusal: unknown;
  let holding: Holding | undefined;
  const isHeld = () => {
    try {
      holding = holdPorts(wishes, {}, standard, true);
      return true;
    } catch (error) {
      if (!(error instanceof RtError) || error.code !== "conflict") throw error;
      refusal = error;
      return false;
    }
  };
  if (await holdsWithin(freeWithin_ms, isHeld)) return holding!;
  throw refusal;
}
