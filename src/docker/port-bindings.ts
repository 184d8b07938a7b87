import { invalid } from "../base/invalid.ts";
import { listOf, mapOf, object, type Shape, text } from "../base/shape.ts";
import { allExposed, type PortWish, parseExpose, parsePort, parsePublish } from "../settings/port.ts";
import { given } from "./zero.ts";

/** Docker's documents of ports: by the container's, as "80/tcp". */
export type PortBindings = Record<string, { HostIp: string; HostPort: string }[]>;

const word = given(text, "");
const fields = { HostIp: word, HostPort: word };
const none: PortBindings[string] = [];

/** `HostConfig.PortBindings` of a request. */
export const portBindings: Shape<PortBindings> = mapOf(given(listOf(object(fields)), none));

interface Published {
  publish: readonly PortWish[];
  expose: readonly string[];
}

export function bindingsDocument({ publish }: Pick<Published, "publish">): PortBindings {
  const bindings: PortBindings = {};
  for (const { port, protocol, address, first, last } of publish) {
    const HostPort = last === 0 ? "" : first === last ? String(first) : `${first}-${last}`;
    const key = `${port}/${protocol}`;
    bindings[key] = [...(bindings[key] ?? []), { HostIp: address, HostPort }];
  }
  return bindings;
}

/** `ExposedPorts` has what is published, too; nothing is said where there are none. */
export function exposedDocument(settings: Published): {
  ExposedPorts?: Record<string, Record<string, never>>;
} {
  const keys = allExposed({ publish: [...settings.publish], expose: [...settings.expose] });
  return keys.length > 0 ? { ExposedPorts: Object.fromEntries(keys.map((key) => [key, {}])) } : {};
}

/** @throws RtError invalid-argument, in Docker's words */
export function wishesOfBindings(bindings: PortBindings, path: string): PortWish[] {
  return Object.entries(bindings).flatMap(([key, list]) => {
    const { port, protocol } = parsePort(key, path);
    return list.flatMap((binding) => {
      const { HostIp, HostPort } = binding;
      if (HostPort.includes(":")) throw invalid(`invalid hostPort: ${HostPort}`);
      const address = HostIp.includes(":") && !HostIp.startsWith("[") ? `[${HostIp}]` : HostIp;
      return parsePublish(`${address}:${HostPort}:${port}/${protocol}`, path);
    });
  });
}

/** Without those that are published. @throws RtError invalid-argument, in Docker's words */
export function exposedOf(exposed: object, publish: readonly PortWish[], path: string): string[] {
  const published = new Set(publish.map(({ port, protocol }) => `${port}/${protocol}`));
  return Object.keys(exposed)
    .flatMap((key) => parseExpose(key, path))
    .filter((key) => !published.has(key));
}
