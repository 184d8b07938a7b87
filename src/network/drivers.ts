import { RtError } from "../base/errors.ts";
import { bridgeDriver } from "./bridge.ts";
import type { DriverWorld, NetworkDriver } from "./driver.ts";
import { hostDriver, nullDriver } from "./fixed.ts";
import { ipvlanDriver } from "./ipvlan.ts";
import { macvlanDriver } from "./macvlan.ts";

/** Each by the name that networks have it by. */
const candidates: Readonly<Record<string, (world: DriverWorld) => NetworkDriver>> = {
  bridge: bridgeDriver,
  macvlan: macvlanDriver,
  ipvlan: ipvlanDriver,
  host: hostDriver,
  null: nullDriver,
};

/** @throws RtError not-found, in Docker's words: there is none of this name */
export function driverOf(name: string, world: DriverWorld): NetworkDriver {
  const known = name === "none" ? "null" : name;
  if (Object.hasOwn(candidates, known)) return candidates[known]!(world);
  const message = `could not find plugin ${name} in v1 plugin registry: plugin not found`;
  throw new RtError("not-found", message, { exitCode: 1 });
}
