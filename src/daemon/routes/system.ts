import type { ApiCall } from "../call.ts";
import { usualFields } from "../fields.ts";

/** GET and HEAD /_ping */
export function getPing(call: ApiCall): void {
  const fields = [
    ["Content-Type", "text/plain; charset=utf-8"],
    ["Cache-Control", "no-cache, no-store, must-revalidate"],
    ["Pragma", "no-cache"],
    // The classic builder, until there is another.
    ["Builder-Version", "1"],
    ["Swarm", "inactive"],
  ] as const;
  call.exchange.answer(200, [...usualFields(), ...fields], "OK");
}

/** GET /version */
export async function getVersion(call: ApiCall): Promise<void> {
  call.answer(200, await call.engine.system.version());
}
