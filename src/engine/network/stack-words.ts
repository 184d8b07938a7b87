import { RtError } from "../../base/errors.ts";
import type { StackPlan } from "../../network/stack.ts";

/** What the programs say of a port that is taken, or of a host that leads nowhere, tells nobody what to do. */
export function inOurWords(error: unknown, { requests }: Pick<StackPlan, "requests">): unknown {
  if (!(error instanceof RtError)) return error;
  if (error.message.includes("External interface not usable"))
    return new RtError(
      error.code,
      `${error.message}: the host has no default route, which pasta needs: use --network none or host, or --network slirp4netns where that is installed`,
    );
  if (requests.length > 0 && error.message.includes("add_hostfwd"))
    return new RtError("conflict", `${error.message}: a port of the host is taken already`);
  if (/tun socket|\/dev\/net\/tun/.test(error.message))
    return new RtError(
      "forbidden",
      `${error.message}: it needs /dev/net/tun, which everybody may open on most hosts (chmod 666 /dev/net/tun)`,
    );
  return error;
}
