import { RtError } from "../base/errors.ts";
import { invalid } from "../base/invalid.ts";
import { nearest } from "../base/nearest.ts";
import { folded, shown } from "../oci/json.ts";
import { compactJson, type JsonMembers, type JsonNode, parseJsonLines } from "../oci/json-lines.ts";
import type { SpecSyscallArgument, SpecSyscalls } from "../oci/runtime-spec.ts";
import { allCapabilities } from "./capability.ts";
import { errnoNumber } from "./errno.ts";
import { seccompActions, seccompArchitectures, seccompFlags, seccompOperators } from "./seccomp-words.ts";

/**
 * A profile of system calls in Docker's format, as `--security-opt seccomp=FILE` takes it: what the runtime specification has
 * ("Seccomp"), and for each rule when it holds. podman's `errno: "EPERM"` is read too. A profile that is written as JSON is a
 * profile that can be read.
 */
export interface SeccompProfile {
  defaultAction: string;
  defaultErrnoRet?: number;
  /** These, or `archMap`; neither: the machine's own alone. */
  architectures?: string[];
  /** Which others go with a machine's own. */
  archMap?: { architecture: string; subArchitectures: string[] }[];
  flags?: string[];
  syscalls: SeccompRule[];
}

export interface SeccompRule extends SpecSyscalls {
  comment?: string;
  /** All of it must be so. */
  includes?: SeccompCondition;
  /** None of it may be so. */
  excludes?: SeccompCondition;
}

export interface SeccompCondition {
  /** "CAP_SYS_ADMIN": of the bounding set. */
  caps?: string[];
  /** Go's names: "amd64". Of several any. */
  arches?: string[];
  /** "4.8": this kernel, or a newer one. */
  minKernel?: string;
}

export const seccompBytesMax = 1 << 20;

/**
 * @param what is for messages, which say `what: line 3: syscalls[0].action: …`
 * @throws RtError invalid-argument; unsupported: it asks for what rt does not do
 */
export function parseSeccompProfile(text: string, what: string): SeccompProfile {
  if (text.length > seccompBytesMax) throw invalid(`${what}: a profile has at most ${seccompBytesMax} bytes`);
  return new Reader(what).profile(parseJsonLines(text, what));
}

/** A profile as it is kept: in as few characters as can be. @throws RtError as `parseSeccompProfile` */
export function checkSeccompProfile(text: string, what: string): string {
  parseSeccompProfile(text, what);
  return compactJson(text.replace(/^\ufeff/, ""));
}

const members = {
  profile:
    "defaultAction defaultErrnoRet defaultErrno architectures archMap flags syscalls listenerPath".concat(
      " listenerMetadata",
    ),
  architecture: "architecture subArchitectures",
  rule: "name names action errnoRet errno args comment includes excludes",
  argument: "index value valueTwo op",
  condition: "caps arches minKernel",
};

/** A value with its place in the document. */
interface Place {
  node: JsonNode;
  path: string;
}

/** The members of an object by name; one that is null is not there. */
type Members = (name: string) => Place | undefined;

/** Of the words that the format has, which is forgotten easily. */
const prefix = /^(CAP|SCMP_ACT|SCMP_ARCH|SCMP_CMP|SECCOMP_FILTER_FLAG)_/;
/** MAX_ERRNO of the kernel's; what a tracer is told has 16 bits. */
const errnoMax = { SCMP_ACT_ERRNO: 4095n, SCMP_ACT_TRACE: 0xffffn };
const argumentMax = 2n ** 64n - 1n;

class Reader {
  readonly #what: string;

  constructor(what: string) {
    this.#what = what;
  }

  profile(node: JsonNode): SeccompProfile {
    const whole = { node, path: "" };
    const of = this.#members(whole, "profile");
    const listener = of("listenerPath") ?? of("listenerMetadata");
    if (listener && listener.node.value !== "") throw this.#unanswered(listener);
    const defaultAction = this.#action(of("defaultAction") ?? this.#absent(whole, "defaultAction"));
    const errno = this.#errno(of, "defaultErrnoRet", "defaultErrno", defaultAction);
    const [architectures, archMap, flags] = [of("architectures"), of("archMap"), of("flags")];
    if (architectures && this.#list(architectures).length > 0 && archMap && this.#list(archMap).length > 0)
      throw this.#wrong(archMap, "there is architectures too: of the two a profile has one");
    return {
      defaultAction,
      ...(errno !== undefined && { defaultErrnoRet: errno }),
      ...(architectures && { architectures: this.#words(architectures, seccompArchitectures) }),
      ...(archMap && { archMap: this.#list(archMap).map((each) => this.#architecture(each)) }),
      ...(flags && { flags: this.#words(flags, seccompFlags) }),
      syscalls: this.#list(of("syscalls")).map((each) => this.#rule(each)),
    };
  }

  #architecture(place: Place): { architecture: string; subArchitectures: string[] } {
    const of = this.#members(place, "architecture");
    return {
      architecture: this.#word(
        of("architecture") ?? this.#absent(place, "architecture"),
        seccompArchitectures,
      ),
      subArchitectures: this.#words(of("subArchitectures"), seccompArchitectures),
    };
  }

  #rule(place: Place): SeccompRule {
    const of = this.#members(place, "rule");
    const [name, names, comment] = [of("name"), of("names"), of("comment")];
    const [includes, excludes, args] = [of("includes"), of("excludes"), this.#list(of("args"))];
    if (name && names && this.#text(name) !== "" && this.#list(names).length > 0)
      throw this.#wrong(name, "there is names too: of the two a rule has one");
    if (!name && !names) this.#absent(place, "names");
    const action = this.#action(of("action") ?? this.#absent(place, "action"));
    const errno = this.#errno(of, "errnoRet", "errno", action);
    const single = name && this.#text(name);
    return {
      names: single ? [single] : this.#list(names).map((each) => this.#name(each)),
      action,
      ...(errno !== undefined && { errnoRet: errno }),
      ...(args.length > 0 && { args: args.map((each) => this.#argument(each)) }),
      ...(comment && this.#text(comment) !== "" && { comment: this.#text(comment) }),
      ...(includes && { includes: this.#condition(includes) }),
      ...(excludes && { excludes: this.#condition(excludes) }),
    };
  }

  /** One that nobody knows is another kernel's; an empty one is nobody's. */
  #name(place: Place): string {
    const text = this.#text(place);
    if (text === "") throw this.#wrong(place, "it is empty: want a system call's name");
    return text;
  }

  #argument(place: Place): SpecSyscallArgument {
    const of = this.#members(place, "argument");
    const valueTwo = of("valueTwo");
    return {
      index: Number(this.#number(of("index"), 5n)),
      value: exact(this.#number(of("value"), argumentMax)),
      ...(valueTwo && { valueTwo: exact(this.#number(valueTwo, argumentMax)) }),
      op: this.#word(of("op") ?? this.#absent(place, "op"), seccompOperators),
    };
  }

  #condition(place: Place): SeccompCondition {
    const of = this.#members(place, "condition");
    const [caps, arches, minKernel] = [of("caps"), of("arches"), of("minKernel")];
    return {
      ...(caps && { caps: this.#words(caps, allCapabilities) }),
      ...(arches && { arches: this.#list(arches).map((each) => this.#text(each)) }),
      ...(minKernel && this.#text(minKernel) !== "" && { minKernel: this.#kernel(minKernel) }),
    };
  }

  #kernel(place: Place): string {
    const text = this.#text(place);
    if (/^[0-9]{1,3}\.[0-9]{1,3}$/.test(text) && Number(text) !== 0) return text;
    throw this.#wrong(place, `${shown(text)} is no version of a kernel: want two numbers, as "4.8"`);
  }

  #action(place: Place): string {
    if (place.node.value === "SCMP_ACT_NOTIFY") throw this.#unanswered(place);
    return this.#word(place, seccompActions);
  }

  /** As a number, or by name. */
  #errno(of: Members, byNumber: string, byName: string, action: string): number | undefined {
    const [number, name] = [of(byNumber), of(byName)];
    const named = name && this.#text(name) !== "" ? name : undefined;
    if (!number && !named) return undefined;
    if (action !== "SCMP_ACT_ERRNO" && action !== "SCMP_ACT_TRACE")
      throw this.#wrong((named ?? number)!, `${action} answers none`);
    if (!named) return Number(this.#number(number, errnoMax[action]));
    const found = errnoNumber(this.#text(named));
    if (found === undefined) throw this.#wrong(named, `${shown(this.#text(named))} is no errno`);
    return found;
  }

  #words(place: Place | undefined, known: readonly string[]): string[] {
    return this.#list(place).map((each) => this.#word(each, known));
  }

  #word(place: Place, known: readonly string[]): string {
    const text = this.#text(place);
    if (known.includes(text)) return text;
    const ends = known.map((each) => each.replace(prefix, ""));
    const end = nearest(text.toUpperCase().replace(prefix, ""), ends);
    const near = end === undefined ? undefined : known[ends.indexOf(end)];
    const choice = known.length > 30 ? "" : `; want one of ${known.join(", ")}`;
    throw this.#wrong(
      place,
      `there is no ${shown(text)}${near === undefined ? choice : `; did you mean ${near}?`}`,
    );
  }

  #text(place: Place): string {
    const { value } = place.node;
    if (typeof value !== "string") throw this.#wrong(place, "want a string");
    return value;
  }

  #number(place: Place | undefined, most: bigint): bigint {
    if (!place) return 0n;
    const { value } = place.node;
    const digits = typeof value === "object" && value && "digits" in value ? value.digits : "";
    if (/^[0-9]{1,20}$/.test(digits) && BigInt(digits) <= most) return BigInt(digits);
    throw this.#wrong(place, `want a whole number from 0 to ${most}`);
  }

  #list(place: Place | undefined): Place[] {
    if (!place) return [];
    const { value } = place.node;
    if (!Array.isArray(value)) throw this.#wrong(place, "want a list");
    return value.map((node: JsonNode, index) => ({ node, path: `${place.path}[${index}]` }));
  }

  #members(place: Place, kind: keyof typeof members): Members {
    const { value } = place.node;
    if (!(value instanceof Map)) throw this.#wrong(place, "want an object");
    const found: JsonMembers = value;
    const inside = (name: string) => (place.path === "" ? name : `${place.path}.${name}`);
    this.#checkNames(found, kind, inside);
    return (name) => {
      const node = found.get(folded(name));
      return node === undefined || node.value === null ? undefined : { node, path: inside(name) };
    };
  }

  /**
   * Others read a profile too and have words of their own in it, which are passed over as Docker does. But a word that was meant
   * to be another would make a rule that nobody meant, and so would a condition that is not known.
   */
  #checkNames(found: JsonMembers, kind: keyof typeof members, inside: (name: string) => string): void {
    const known = members[kind].split(" ");
    for (const { name, ...node } of found.values()) {
      if (known.some((each) => folded(each) === folded(name))) continue;
      const near = nearest(name, known);
      const place = { node, path: inside(shown(name)) };
      if (near !== undefined) throw this.#wrong(place, `there is no such member; did you mean ${near}?`);
      if (kind === "condition") throw this.#wrong(place, `no such condition; there are ${known.join(", ")}`);
    }
  }

  #absent({ node, path }: Place, name: string): never {
    throw this.#wrong({ node, path: path === "" ? name : `${path}.${name}` }, "it is missing");
  }

  #unanswered(place: Place): RtError {
    return new RtError(
      "unsupported",
      this.#said(place, "SCMP_ACT_NOTIFY wants a program that answers for the kernel: rt has none"),
    );
  }

  #wrong(place: Place, why: string): RtError {
    return invalid(this.#said(place, why));
  }

  #said({ node, path }: Place, why: string): string {
    return `${this.#what}: line ${node.line}: ${path === "" ? "" : `${path}: `}${why}`;
  }
}

/** As a number where JavaScript holds it exactly. */
function exact(value: bigint): number | string {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : String(value);
}
