import type { ManifestVerbs } from "../engine/engine.ts";
import { onHostAlone } from "./stdio.ts";

/** Lists are made in a store, and Docker's API knows of none. */
export function manifestVerbs(): ManifestVerbs {
  const refuse = (verb: string) => async () => {
    throw onHostAlone(`manifest ${verb}`);
  };
  return {
    inspect: refuse("inspect"),
    create: refuse("create"),
    annotate: refuse("annotate"),
    push: refuse("push"),
    remove: refuse("rm"),
  };
}
