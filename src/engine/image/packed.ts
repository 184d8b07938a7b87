import { ownApp } from "../../app/packed-app.ts";
import { RtError } from "../../base/errors.ts";
import { windowSize } from "../../runtime/leaf.ts";

/** How the packed app that is running is to be run. */
export interface AppStart {
  /** Flags of `rt run`. */
  flags: readonly string[];
  /** In place of the image's Cmd when not empty. */
  command: readonly string[];
  /** Of the standard streams: stdin, stdout, stderr. */
  isTerminal: readonly boolean[];
}

/** @throws RtError data-loss: the executable is damaged */
export function appStart(): AppStart {
  const app = ownApp();
  if (!app) throw new RtError("internal", "this executable is no packed app");
  // Only a terminal has a size. node:tty would tell it too, and takes a millisecond to load.
  const isTerminal = [0, 1, 2].map((fd) => windowSize(fd) !== undefined);
  return { flags: app.flags, command: app.command, isTerminal };
}
