import { ownApp } from "../../app/own.ts";
import { RtError } from "../../base/errors.ts";

/** How the packed app that is running is to be run. */
export interface AppStart {
  /** Flags of `rt run`. */
  flags: readonly string[];
  /** In place of the image's Cmd when not empty. */
  command: readonly string[];
}

/** @throws RtError data-loss: the executable is damaged */
export function appStart(): AppStart {
  const app = ownApp();
  if (!app) throw new RtError("internal", "this executable is no packed app");
  return { flags: app.flags, command: app.command };
}
