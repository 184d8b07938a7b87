import { openPackedApp } from "../registry/packed-app.ts";

/** How the packed app that is running wants to be run. */
export interface AppSettings {
  /** Flags of `rt run`. */
  flags: readonly string[];
  /** In place of the image's Cmd when not empty. */
  command: readonly string[];
}

/** @throws RtError data-loss: the executable is damaged */
export function appSettings(env: NodeJS.ProcessEnv = process.env): AppSettings {
  return openPackedApp(env.RT_PACKED ?? "");
}
