/**
 * The outer world, for what tests fetch of Debian: they themselves are in a network of their own (own-network.ts).
 *
 *   await run(outside(["apt-get", "download", name]));
 */
export function outside(command: readonly string[]): string[] {
  const path = process.env.RT_TEST_OUTSIDE;
  if (process.env.RT_TEST_NETWORK !== String(process.pid)) return [...command];
  if (!path) throw new Error(`nobody is left in the network that ${command[0]} needs: start the tests there`);
  return ["nsenter", `--net=${path}`, "--", ...command];
}
