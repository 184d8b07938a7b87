/**
 * `rt registry serve` of a test host.
 *
 *   await using served = await serveRegistry(host, ["--read-only"]);
 *   await fetch(`${served.url}/v2/`);
 */
import type { TestHost } from "./host.ts";
import type { RtOptions, RtProcess } from "./rt.ts";

export interface Served extends AsyncDisposable {
  readonly process: RtProcess;
  readonly url: string;
  /** "127.0.0.1:PORT", as it stands in a reference. */
  readonly address: string;
}

export async function serveRegistry(
  host: TestHost,
  args: readonly string[] = [],
  options: RtOptions = {},
): Promise<Served> {
  const process = host.spawn(["registry", "serve", "--listen", "127.0.0.1:0", ...args], options);
  const [, url] = await process.stdout.waitFor(/^listening on (\S+)$/m);
  return {
    process,
    url: url!,
    address: new URL(url!).host,
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}
