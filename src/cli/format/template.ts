import { functions, headingFunctions, type TemplateFunction } from "./functions.ts";
import { type Node, type Operand, type Pipeline, parseTemplate } from "./parse.ts";
import { isEmpty, OwnText, plain, printed } from "./print.ts";
import { templateError } from "./scan.ts";

/** A compiled `--format`. */
export class Template {
  readonly #nodes: Node[];
  readonly #source: string;

  /** @throws RtError invalid-argument, exit 1 */
  constructor(source: string) {
    this.#source = source;
    this.#nodes = parseTemplate(source);
  }

  /** @throws RtError invalid-argument: a field that `data` does not have */
  render(data: unknown, options: { heading?: boolean } = {}): string {
    const scope = new Scope(data, this.#source, options.heading ? headingFunctions : functions);
    return scope.nodes(this.#nodes);
  }
}

/** Fields whose values are maps with people's keys: a missing key is empty there, and not a mistake. */
const maps = new Set(
  "Labels Annotations Attributes Options Sysctls Tmpfs Ports Networks Volumes ExposedPorts DriverOpts Data Storage".split(
    " ",
  ),
);

/** Fields of Docker's that are nothing where they do not apply: no mistake either, and false in an `if`. */
const optional = new Set(
  (
    "ArgsEscaped ContainerConfig Descriptor DeviceRequests DeviceCgroupRules DockerVersion ExposedPorts Health Healthcheck " +
    "ImageManifestDescriptor Links MacAddress Manifests Mounts NetworkDisabled OnBuild OsVersion Shell SizeRootFs SizeRw " +
    "StopSignal StopTimeout StorageOpt Variant VirtualSize VolumeDriver VolumesFrom"
  ).split(" "),
);

class Scope {
  readonly #source: string;
  readonly #functions: Readonly<Record<string, TemplateFunction>>;
  readonly #variables: Map<string, unknown>;
  #dot: unknown;

  constructor(dot: unknown, source: string, known: Readonly<Record<string, TemplateFunction>>) {
    this.#dot = dot;
    this.#source = source;
    this.#functions = known;
    this.#variables = new Map([["$", dot]]);
  }

  nodes(list: readonly Node[]): string {
    let output = "";
    for (const node of list) output += this.#node(node);
    return output;
  }

  #node(node: Node): string {
    if (node.kind === "text") return node.text;
    const value = this.#pipeline(node.pipeline);
    if (node.kind === "print") return node.pipeline.declares.length > 0 ? "" : printed(value);
    if (node.kind === "range") return this.#range(node, value);
    if (isEmpty(value)) return this.nodes(node.otherwise);
    return node.kind === "with" ? this.#inside(value, node.body) : this.nodes(node.body);
  }

  #range(node: Extract<Node, { kind: "range" }>, value: unknown): string {
    if (isEmpty(value)) return this.nodes(node.otherwise);
    if (typeof value !== "object" || value instanceof OwnText)
      throw templateError(`:1: range can't iterate over ${printed(value)}`);
    const entries: [unknown, unknown][] = Array.isArray(value)
      ? [...value.entries()]
      : Object.entries(value as object).sort(([a], [b]) => (a < b ? -1 : 1));
    const names = node.pipeline.declares;
    return entries
      .map(([key, item]) => {
        if (names.length === 2) this.#variables.set(names[0]!, key);
        if (names.length > 0) this.#variables.set(names.at(-1)!, item);
        return this.#inside(item, node.body);
      })
      .join("");
  }

  #inside(dot: unknown, body: readonly Node[]): string {
    const outer = this.#dot;
    this.#dot = dot;
    const output = this.nodes(body);
    this.#dot = outer;
    return output;
  }

  #pipeline(pipeline: Pipeline): unknown {
    let value = this.#command(pipeline.commands[0]!, []);
    for (const command of pipeline.commands.slice(1)) value = this.#command(command, [value]);
    if (pipeline.declares.length === 1) this.#variables.set(pipeline.declares[0]!, value);
    return value;
  }

  #command(command: readonly Operand[], piped: unknown[]): unknown {
    const first = command[0]!;
    if (first.kind === "path" && command.length === 1 && piped.length === 0) {
      // A field alone, which nearly all of a listing is.
      const value = this.#path(first);
      return typeof value === "function" ? value() : value;
    }
    const rest = command.slice(1);
    if (first.kind === "call")
      return this.#call(first, [...rest.map((item) => this.#operand(item)), ...piped]);
    const value = this.#operand(first);
    const values = [...rest.map((item) => this.#operand(item)), ...piped];
    // A method, as Docker's `{{.Label "key"}}`.
    if (typeof value === "function") return value(...values.map(plain));
    if (values.length > 0) throw templateError(":1: can't give argument to non-function");
    return value;
  }

  #call(call: Extract<Operand, { kind: "call" }>, values: unknown[]): unknown {
    const action = Object.hasOwn(this.#functions, call.name) ? this.#functions[call.name] : undefined;
    if (!action) throw templateError(`:1: function ${JSON.stringify(call.name)} not defined`);
    return action(...values);
  }

  #operand(operand: Operand): unknown {
    if (operand.kind === "literal") {
      return typeof operand.value === "string" ? new OwnText(operand.value) : operand.value;
    }
    if (operand.kind === "call") return this.#call(operand, []);
    return this.#path(operand);
  }

  #path({ base, keys, at }: Extract<Operand, { kind: "path" }>): unknown {
    let value =
      base === undefined ? this.#dot : typeof base === "string" ? this.#variable(base) : this.#pipeline(base);
    let owner = "";
    for (const key of keys) {
      value = this.#field(value, key, owner, at, keys);
      owner = key;
    }
    return value;
  }

  #variable(name: string): unknown {
    if (!this.#variables.has(name)) throw templateError(`:1: undefined variable ${JSON.stringify(name)}`);
    return this.#variables.get(name);
  }

  #field(value: unknown, key: string, owner: string, at: number, keys: readonly string[]): unknown {
    if (typeof value === "object" && value !== null && Object.hasOwn(value, key)) {
      return (value as Record<string, unknown>)[key];
    }
    if (maps.has(owner)) return "";
    if (optional.has(key) && typeof value === "object" && value !== null) return undefined;
    const place = `:1:${Buffer.byteLength(this.#source.slice(0, at))}: executing "" at <.${keys.join(".")}>`;
    if (value === null || value === undefined) {
      throw templateError(`${place}: nil pointer evaluating interface {}.${key}`);
    }
    if (typeof value === "object" && !Array.isArray(value)) {
      throw templateError(`${place}: map has no entry for key ${JSON.stringify(key)}`);
    }
    throw templateError(`${place}: can't evaluate field ${key} in type ${typeName(value)}`);
  }
}

function typeName(value: unknown): string {
  if (Array.isArray(value)) return "[]interface {}";
  return typeof value === "number" ? "float64" : typeof value === "boolean" ? "bool" : typeof value;
}
