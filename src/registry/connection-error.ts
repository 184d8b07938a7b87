import { cancellation } from "../base/abort.ts";
import { RtError } from "../base/errors.ts";
import { shown } from "../oci/json.ts";
import { TransientError } from "./retry.ts";

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "the connection was closed in between",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "the name cannot be looked up now",
  EHOSTUNREACH: "no route to the host",
  ENETUNREACH: "the network is unreachable",
  ETIMEDOUT: "the connection timed out",
};

/**
 * What fetch threw, in one line.
 * @param via " through the proxy …", or ""
 */
export function connectionFailure(
  error: unknown,
  url: URL,
  via: string,
  signal: AbortSignal | undefined,
): RtError {
  if (signal?.aborted) return cancellation(signal, error);
  if (error instanceof RtError) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const text = error instanceof Error ? error.message.split("\n", 1)[0]! : String(error);
  if (/CERT|SIGNATURE|ALTNAME|ERR_TLS|EPROTO/.test(code)) {
    const why = code === "EPROTO" ? "it does not speak TLS" : shown(code);
    // A proxy that is spoken to in TLS may be the one that is not trusted.
    const whom = url.host + (via.includes("proxy https:") ? via : "");
    return new RtError("unavailable", `cannot trust ${whom}: ${why}; --tls-verify=false accepts that`, {
      cause: error,
    });
  }
  const line = `cannot reach ${url.host}${via}: ${reasons[code] ?? shown(text)}`;
  // What the proxy does not allow it will not allow the next time.
  const isRefusal = code === "ERR_PROXY_TUNNEL" && /: 4\d\d\b/.test(text);
  return isRefusal
    ? new RtError("unavailable", line, { cause: error })
    : new TransientError(line, { cause: error });
}
