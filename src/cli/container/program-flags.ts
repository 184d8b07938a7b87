import { RtError } from "../../base/errors.ts";
import { Option } from "../command.ts";

/** Flags that say something of a program in a container. Each is written once, and called where a command has it. */
export const programFlags = {
  detachKeys: () =>
    Option.String("--detach-keys", {
      description: "`KEYS` Keys that detach the terminal (default ctrl-p,ctrl-q)",
    }),
  env: () =>
    Option.Array("-e,--env", [], {
      description: "`KEY[=VALUE]` Set a variable; KEY alone passes on the caller's",
    }),
  envFiles: () =>
    Option.Array("--env-file", [], { description: "`FILE` Set variables from a file of KEY=VALUE lines" }),
  interactive: () => Option.Boolean("-i,--interactive", false, { description: "Keep stdin open" }),
  sigProxy: () =>
    Option.Boolean("--sig-proxy", true, { description: "Forward signals to the program (default true)" }),
  tty: () => Option.Boolean("-t,--tty", false, { description: "Give the program a terminal" }),
  user: () =>
    Option.String("-u,--user", { description: "`USER[:GROUP]` Run as this user, names or numbers" }),
  workdir: () => Option.String("-w,--workdir", { description: "`DIRECTORY` Working directory" }),
};

/** The values of the flags of one who stays with a program. */
export interface AttachFlags {
  detachKeys: string | undefined;
  sigProxy: boolean;
}

/** Docker's words, when a terminal is asked for and stdin is none. */
export function checkTerminal({ openStdin, tty }: { openStdin: boolean; tty: boolean }): void {
  if (!tty || !openStdin || process.getBuiltinModule("node:tty").isatty(0)) return;
  throw new RtError(
    "invalid-argument",
    "the input device is not a TTY: leave out -t, or run this in a terminal",
    { exitCode: 1 },
  );
}
