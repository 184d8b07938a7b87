import type { ApiCall } from "../call.ts";
import { sizeIn } from "../window-size.ts";

/** POST /containers/{name}/resize */
export async function postContainerResize(call: ApiCall): Promise<void> {
  await call.engine.container.resize(call.param("name"), sizeIn(call.query));
  call.answer(200);
}
