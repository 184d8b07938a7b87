import { RtError } from "../base/errors.ts";
import { shown } from "../oci/json.ts";
import { defaultLimits, type Limits } from "../registry/limits.ts";
import { send } from "../registry/transport.ts";

/**
 * What lies at a web address, by the rules of a pull: the environment's proxies, TLS that verifies, and redirects only to where
 * one may lead. Nothing is asked twice, as it may not be the same the second time.
 * @throws RtError invalid-argument: no web address; not-found | unauthorized | unavailable
 */
export async function* download(
  address: string,
  signal: AbortSignal,
  limits: Limits = defaultLimits,
): AsyncGenerator<Uint8Array> {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url || !/^https?:$/.test(url.protocol))
    throw new RtError("invalid-argument", `${shown(address)} is no web address`);
  if (url.username !== "" || url.password !== "")
    throw new RtError("invalid-argument", "an address with a password in it: it would be seen by others");
  const answer = await send({ url, signal }, limits);
  if (answer.status !== 200) {
    answer.discard();
    const code = answer.status === 404 || answer.status === 410 ? "not-found" : "unavailable";
    throw new RtError(code, `${answer.url.host} answers ${answer.status} for ${shown(url.pathname)}`);
  }
  const promised = answer.headers.get("content-length");
  let received = 0;
  for await (const chunk of answer.chunks()) {
    received += chunk.length;
    yield chunk;
  }
  if (promised !== null && received !== Number(promised))
    throw new RtError("unavailable", `${answer.url.host} ends after ${received} of ${promised} bytes`);
}
