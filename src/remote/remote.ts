import type { CallerEnvironment } from "../base/environment.ts";
import { RtError } from "../base/errors.ts";
import type { Engine } from "../engine/engine.ts";
import type { Session } from "../engine/session.ts";
import type { Dial } from "./dial.ts";

export interface RemoteOptions {
  /** For messages: "unix:///run/rt/rt.sock". */
  address: string;
  dial: Dial;
  env: Readonly<Record<string, string | undefined>>;
  caller: CallerEnvironment;
}

/** An engine elsewhere, over Docker's API. */
export async function openRemote(_session: Session, { address }: RemoteOptions): Promise<Engine> {
  throw new RtError("unsupported", `the engine at ${address} cannot be spoken to yet`);
}
