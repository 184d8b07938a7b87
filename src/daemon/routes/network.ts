import { RtError } from "../../base/errors.ts";
import { parseConnect } from "../../docker/network-connect.ts";
import { parseNetworkCreate } from "../../docker/network-create.ts";
import type { ApiCall } from "../call.ts";

/** GET /networks */
export async function getNetworks(call: ApiCall): Promise<void> {
  call.answer(200, await call.engine.network.list({ filters: call.query.filters() }));
}

/** GET /networks/{name} */
export async function getNetwork(call: ApiCall): Promise<void> {
  const scope = call.query.text("scope");
  // Those of a swarm are none of ours; more than there is, which `verbose` asks for, a swarm has too.
  if (scope !== "" && scope !== "local")
    throw new RtError("not-found", `network ${call.param("name")} not found`);
  call.answer(200, await call.engine.network.inspect(call.param("name")));
}

/** POST /networks/create */
export async function postNetworkCreate(call: ApiCall): Promise<void> {
  const Id = await call.engine.network.create(parseNetworkCreate(await call.json()));
  call.answer(201, { Id, Warning: call.warnings.join("\n") });
}

/** POST /networks/{name}/connect */
export async function postNetworkConnect(call: ApiCall): Promise<void> {
  const name = call.param("name");
  const { container, wish } = parseConnect(name, await call.json());
  const { network: _, ...options } = wish;
  await call.engine.network.connect(name, container, options);
  call.answer(200);
}

/** POST /networks/{name}/disconnect */
export async function postNetworkDisconnect(call: ApiCall): Promise<void> {
  const name = call.param("name");
  const { container, force } = parseConnect(name, await call.json());
  await call.engine.network.disconnect(name, container, { force });
  call.answer(200);
}

/** DELETE /networks/{name} */
export async function deleteNetwork(call: ApiCall): Promise<void> {
  await call.engine.network.remove(call.param("name"), { force: false });
  call.answer(204);
}

/** POST /networks/prune */
export async function postNetworksPrune(call: ApiCall): Promise<void> {
  const { NetworksDeleted } = await call.engine.network.prune({ filters: call.query.filters() });
  // Docker's list of nothing.
  call.answer(200, { NetworksDeleted: NetworksDeleted.length > 0 ? NetworksDeleted : null });
}
