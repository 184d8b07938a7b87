import type { Engine } from "../engine/engine.ts";
import type { ListenAddress } from "./address.ts";
import { endpointOf } from "./endpoints.ts";
import { policyEngine } from "./policy-engine.ts";
import { type PolicyRules, readPolicy } from "./policy-file.ts";
import { notAllowed } from "./policy-refusal.ts";

/**
 * What whoever connects to one socket may do. Two fences, each closed unless something opens it:
 *
 *   checkEndpoint   which rows of the table: a row that nobody has classed (endpoints.ts) is refused
 *   guard           what the verbs of the engine are asked for, after a handler has read the request and in the units and the
 *                   names that the engine works with (policy-engine.ts): nothing is read twice, and so never in two ways
 */
export class Policy {
  readonly #rules: PolicyRules;

  constructor(rules: PolicyRules) {
    this.#rules = rules;
  }

  /** @throws RtError forbidden */
  checkEndpoint(row: { method: string; path: string }): void {
    const endpoint = endpointOf(row);
    const text = `${row.method} ${row.path}`;
    const { allow, where } = this.#rules;
    const isAllowed =
      endpoint !== undefined && endpoint.kind !== "engine" && allow.some((rule) => rule(row, endpoint));
    if (!isAllowed) throw notAllowed(text, `${where} does not allow it`);
  }

  /** The same engine, of which this is all that can be had. */
  guard(engine: Engine): Engine {
    return policyEngine(engine, this.#rules);
  }
}

/** @throws RtError: what the file says is no policy, or there is none */
export async function policyOf(said: ListenAddress["policy"]): Promise<Policy | undefined> {
  if (said === undefined) return undefined;
  return new Policy("file" in said ? await readPolicy(said.file) : readOnly);
}

/** `?allow=read` */
const readOnly: PolicyRules = {
  where: "allow=read",
  allow: [(_, { kind }) => kind === "read"],
  label: undefined,
  images: { create: [], pull: [], push: [], tag: [], load: false },
  mounts: { read: [], write: [], volumes: [] },
  networks: [],
  capabilities: [],
  seesAll: true,
};
