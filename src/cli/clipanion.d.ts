/**
 * The light entry points of clipanion, typed. Its package root drags in `Cli` and with it node:tty (2-4 ms, a third of
 * what `rt run` may take to start); a command needs only the base class and the option declarations.
 */
declare module "clipanion/lib/advanced/Command.mjs" {
  export interface Usage {
    category?: string;
    /** One line, for the list of commands. */
    description?: string;
    /** Paragraphs below the usage line. */
    details?: string;
    /** [what it does, command line with $0 for the program]. */
    examples?: [string, string][];
  }
  export abstract class Command<Context> {
    static usage?: Usage;
    static isOption: symbol;
    context: Context;
    path: string[];
    abstract execute(): Promise<number | undefined>;
  }
}
declare module "clipanion/lib/advanced/options/Array.mjs" {
  export { Array } from "clipanion/lib/advanced/options/Array";
}
declare module "clipanion/lib/advanced/options/Boolean.mjs" {
  export { Boolean } from "clipanion/lib/advanced/options/Boolean";
}
declare module "clipanion/lib/advanced/options/Proxy.mjs" {
  export { Proxy } from "clipanion/lib/advanced/options/Proxy";
}
declare module "clipanion/lib/advanced/options/Rest.mjs" {
  export { Rest } from "clipanion/lib/advanced/options/Rest";
}
declare module "clipanion/lib/advanced/options/String.mjs" {
  export { String } from "clipanion/lib/advanced/options/String";
}
declare module "clipanion/lib/core.mjs" {
  export const NoLimits: unique symbol;
}
