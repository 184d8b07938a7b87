import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { isErrno, RtError, withCause } from "../base/errors.ts";
import { quote } from "../base/invalid.ts";
import { flag, type Infer, object, optional, ShapeError, text } from "../base/shape.ts";

/**
 * Docker's contexts: names for engines, which its command line keeps under its directory (docker/cli, cli/context/store).
 *
 *   config.json                                   {"currentContext": "box", …}
 *   contexts/meta/<sha256 of the name>/meta.json  {"Name": "box", "Metadata": {…}, "Endpoints": {"docker": {"Host": …}}}
 *   contexts/tls/<the same>/docker/               ca.pem, cert.pem, key.pem, those that there are
 */
export interface EngineContext {
  name: string;
  description: string;
  /** "ssh://box" */
  host: string;
  skipTlsVerify: boolean;
  /** Where its TLS files are, if it has any. */
  tlsDirectory: string;
}

/** What is meant where none is chosen: the engine here. */
export const defaultContext = "default";

const fileBytesMax = 1 << 20;
const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$/;

const metaShape = object({
  Name: text,
  Metadata: optional(object({ Description: optional(text) })),
  Endpoints: optional(
    object({ docker: optional(object({ Host: optional(text), SkipTLSVerify: optional(flag) })) }),
  ),
});

export class EngineContexts {
  readonly #directory: string;

  /** @param directory Docker's: $DOCKER_CONFIG, or ~/.docker */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The one that Docker's command line goes by; undefined: none. */
  current(): string | undefined {
    const document = readJson(this.#configFile);
    const { currentContext } = (typeof document === "object" && document ? document : {}) as Record<
      string,
      unknown
    >;
    return typeof currentContext === "string" && currentContext !== "" ? currentContext : undefined;
  }

  /** By name, without the default. One that cannot be read is left out. */
  list(): EngineContext[] {
    const found: EngineContext[] = [];
    for (const id of idsIn(join(this.#directory, "contexts", "meta"))) {
      const context = this.#read(id);
      // Another's name in its place would be a second context of that name.
      if (context && idOf(context.name) === id) found.push(context);
    }
    return found.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** @throws RtError not-found | invalid-argument */
  get(name: string): EngineContext {
    const context = this.#read(idOf(checkName(name)));
    if (context?.name === name) return context;
    throw new RtError("not-found", `context ${quote(name)} does not exist`, { exitCode: 1 });
  }

  /** @param tls its files, by their names there @throws RtError conflict: there is one of this name */
  create(
    { name, description, host, skipTlsVerify }: Omit<EngineContext, "tlsDirectory">,
    tls: Readonly<Record<string, string>>,
  ): void {
    if (name === defaultContext)
      throw new RtError("invalid-argument", `"${defaultContext}" is a reserved context name`, {
        exitCode: 1,
      });
    const id = idOf(checkName(name));
    if (this.#read(id))
      throw new RtError("conflict", `context ${quote(name)} already exists`, { exitCode: 1 });
    for (const [file, pem] of Object.entries(tls)) writeWhole(join(this.#tlsOf(id), file), pem);
    const meta = {
      Name: name,
      Metadata: description === "" ? {} : { Description: description },
      Endpoints: { docker: { Host: host, SkipTLSVerify: skipTlsVerify } },
    };
    writeWhole(this.#metaOf(id), JSON.stringify(meta));
  }

  /** @throws RtError not-found; invalid-argument: it is the default; conflict: it is the current one, and not `force` */
  remove(name: string, { force }: { force: boolean }): void {
    if (name === defaultContext)
      throw new RtError("invalid-argument", `context "${defaultContext}" cannot be removed`, { exitCode: 1 });
    const { name: known } = this.get(name);
    if (!force && this.current() === known)
      throw new RtError("conflict", `context ${quote(name)} is in use, set -f flag to force remove`, {
        exitCode: 1,
      });
    if (this.current() === known) this.use(defaultContext);
    const id = idOf(known);
    rmSync(dirname(this.#metaOf(id)), { recursive: true });
    rmSync(join(this.#directory, "contexts", "tls", id), { recursive: true, force: true });
  }

  /** Docker's command line goes by it from here on. @throws RtError not-found */
  use(name: string): void {
    if (name !== defaultContext) this.get(name);
    const document = readJson(this.#configFile) ?? {};
    if (typeof document !== "object" || Array.isArray(document))
      throw new RtError("data-loss", `${this.#configFile} is no JSON object`);
    const { currentContext: _, ...rest } = document as Record<string, unknown>;
    const changed = name === defaultContext ? rest : { ...rest, currentContext: name };
    writeWhole(this.#configFile, JSON.stringify(changed, undefined, "\t"));
  }

  get #configFile(): string {
    return join(this.#directory, "config.json");
  }

  #metaOf(id: string): string {
    return join(this.#directory, "contexts", "meta", id, "meta.json");
  }

  #tlsOf(id: string): string {
    return join(this.#directory, "contexts", "tls", id, "docker");
  }

  #read(id: string): EngineContext | undefined {
    const document = readJson(this.#metaOf(id));
    if (document === undefined) return undefined;
    let meta: Infer<typeof metaShape>;
    try {
      meta = metaShape(document, "context");
    } catch (error) {
      if (error instanceof ShapeError) return undefined;
      throw error;
    }
    const docker = meta.Endpoints?.docker;
    return {
      name: meta.Name,
      description: meta.Metadata?.Description ?? "",
      host: docker?.Host ?? "",
      skipTlsVerify: docker?.SkipTLSVerify ?? false,
      tlsDirectory: this.#tlsOf(id),
    };
  }
}

function checkName(name: string): string {
  if (namePattern.test(name)) return name;
  const want = "want letters, digits and _.+-, at least two";
  throw new RtError("invalid-argument", `invalid context name ${quote(name)}: ${want}`, { exitCode: 1 });
}

function idOf(name: string): string {
  return createHash("sha256").update(name).digest("hex");
}

function idsIn(directory: string): string[] {
  try {
    return readdirSync(directory).filter((id) => /^[0-9a-f]{64}$/.test(id));
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")) return [];
    throw withCause("cannot read Docker's contexts", error);
  }
}

/** Undefined: there is no such file. @throws RtError data-loss: it is no JSON */
function readJson(path: string): unknown {
  let document: string;
  try {
    document = readFileSync(path, "utf8");
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")) return undefined;
    throw withCause(`cannot read ${path}`, error);
  }
  if (document.length > fileBytesMax)
    throw new RtError("data-loss", `${path} is larger than a file of Docker's is`);
  try {
    return JSON.parse(document) as unknown;
  } catch (error) {
    throw new RtError("data-loss", `${path} is no JSON document`, { cause: error });
  }
}

function writeWhole(path: string, contents: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const draft = `${path}.${crypto.randomUUID()}`;
    writeFileSync(draft, contents, { mode: 0o600 });
    renameSync(draft, path);
  } catch (error) {
    throw withCause(`cannot write ${path}`, error);
  }
}
