import { RtError } from "../base/errors.ts";
import type { DriverWorld, NetworkDriver } from "./driver.ts";

/**
 * The drivers of the networks that are always there: `host`, all that this host has, and `none`, nothing but a loopback. What
 * they join a container to is a network namespace that it is given as it is built (namespace-mode.ts), so there is nothing to
 * make here, and nobody has a place.
 */
export function hostDriver(_world: DriverWorld): NetworkDriver {
  return fixed("host");
}

export function nullDriver(_world: DriverWorld): NetworkDriver {
  return fixed("null");
}

function fixed(name: string): NetworkDriver {
  const onlyOne = () => {
    const message = `only one instance of "${name}" network is allowed`;
    return new RtError("forbidden", message, { exitCode: 1 });
  };
  return {
    name,
    ...{ isFixed: true, isGateway: false, hasMacs: false },
    checkOptions() {
      throw onlyOne();
    },
    claim() {
      throw onlyOne();
    },
    bringUp() {},
    async attach() {},
    lead() {},
    detach() {},
    async restore() {},
    takeDown() {},
  };
}
