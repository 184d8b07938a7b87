import { invalid } from "../base/invalid.ts";
import { flag, object, optional, text } from "../base/shape.ts";
import type { NetworkWish } from "../settings/network.ts";
import { parseEndpoint } from "./networking-config.ts";
import { given, read } from "./zero.ts";

const request = object({
  Container: given(text, ""),
  Force: given(flag, false),
  EndpointConfig: optional((value: unknown) => value),
});

/** POST /networks/NAME/connect and /disconnect. @throws RtError invalid-argument | unsupported */
export function parseConnect(
  network: string,
  document: unknown,
): { container: string; force: boolean; wish: NetworkWish } {
  const { Container, Force, EndpointConfig } = read(request, document ?? {}, "request");
  if (Container === "") throw invalid(`invalid name or ID supplied: ""`);
  return { container: Container, force: Force, wish: parseEndpoint(network, EndpointConfig ?? {}) };
}
