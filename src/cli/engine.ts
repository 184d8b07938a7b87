import type { Engine } from "../engine/engine.ts";
import type { LocalOptions } from "../engine/local.ts";
import type { Session } from "../engine/session.ts";

/** Where commands get their engine from; none of them knows whether it is in this process. */
export type OpenEngine = (session: Session, options: LocalOptions) => Promise<Engine>;

export const openEngine: OpenEngine = async (session, options) => {
  const { openLocal } = await import("../engine/local.ts");
  return openLocal(session, options);
};
