import type { Engine } from "../engine/engine.ts";
import type { Session } from "../engine/session.ts";
import type { EngineOptions } from "./engine-place.ts";

/** Where commands get their engine from; none of them knows whether it is in this process. */
export type OpenEngine = (session: Session, options: EngineOptions) => Promise<Engine>;

export const openEngine: OpenEngine = async (session, options) => {
  if (mayBeElsewhere(options)) {
    const { engineElsewhere } = await import("./elsewhere.ts");
    const elsewhere = await engineElsewhere(session, options);
    if (elsewhere) return elsewhere;
  }
  const { openLocal } = await import("../engine/local.ts");
  return openLocal(session, options);
};

/** Whether anything says so; contexts may still lead here. */
export function mayBeElsewhere({ place, env }: Pick<EngineOptions, "place" | "env">): boolean {
  return !!(place || env?.RT_HOST || env?.RT_CONTEXT);
}
