/**
 * In a state directory: interfaces of the host that packets of the container go around by where its bandwidth has a limit
 * (network/bandwidth.ts), a line for each: "ENDPOINT NAME". It is written before they are made. Most have none.
 */
export const detoursFile = "detours";

/** Those that are written well. */
export function parseDetours(text: string): { endpoint: string; name: string }[] {
  return text.split("\n").flatMap((line) => {
    const [, endpoint, name] = /^([0-9a-f]{64}) (ifb[0-9a-f]{12})$/.exec(line) ?? [];
    return endpoint !== undefined && name !== undefined ? [{ endpoint, name }] : [];
  });
}
