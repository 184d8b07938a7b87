import type { RunOptions } from "../container/run-options.ts";
import type { InitContainer } from "./config.ts";

/** A container of the configuration, and what its flags mean. */
export interface Plan {
  container: InitContainer;
  options: RunOptions;
  /** The same as words: what follows "rt run". */
  argv: readonly string[];
  /** Do they say which network it is in? */
  saysNetwork: boolean;
}
