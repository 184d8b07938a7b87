import { invalid } from "../../base/invalid.ts";
import { listOf, natural, object, oneOf, text } from "../../base/shape.ts";
import { read } from "../../docker/zero.ts";
import type { ContainerVerbs } from "../../engine/engine.ts";
import type { ApiCall } from "../call.ts";

/** What Docker's API has no word for: remote/own.ts asks for it. */
const portsDocument = object({
  Ports: listOf(
    object({
      ...{ port: natural, protocol: oneOf("tcp", "udp", "sctp"), address: text },
      ...{ first: natural, last: natural },
    }),
  ),
});

/** GET /rt/containers/{name}/why */
export async function getContainerWhy(call: ApiCall): Promise<void> {
  call.answer(200, await call.engine.container.why(call.param("name")));
}

/** POST /rt/containers/{name}/publish */
export async function postContainerPublish(call: ApiCall): Promise<void> {
  await call.engine.container.publish(call.param("name"), await portsOf(call));
  call.answer(204);
}

/** POST /rt/containers/{name}/unpublish */
export async function postContainerUnpublish(call: ApiCall): Promise<void> {
  await call.engine.container.unpublish(call.param("name"), await portsOf(call));
  call.answer(204);
}

type Wishes = Parameters<ContainerVerbs["publish"]>[1];

async function portsOf(call: ApiCall): Promise<Wishes> {
  const { Ports } = read(portsDocument, await call.json(), "ports");
  const isPort = (port: number) => port <= 65_535;
  if (!Ports.every(({ port, first, last }) => port > 0 && [port, first, last].every(isPort) && first <= last))
    throw invalid("invalid ports: there is none of that number");
  return Ports;
}
