import { containerListElement } from "../../docker/container-summary.ts";
import type { ApiCall } from "../call.ts";

/** GET /containers/json */
export async function getContainers(call: ApiCall): Promise<void> {
  const { query } = call;
  const found = await call.engine.container.list({
    all: query.flag("all"),
    size: query.flag("size"),
    filters: query.filters(),
  });
  call.answer(200, found.map(containerListElement));
}

/** GET /containers/{name}/json */
export async function getContainer(call: ApiCall): Promise<void> {
  call.answer(
    200,
    await call.engine.container.inspect(call.param("name"), { size: call.query.flag("size") }),
  );
}
