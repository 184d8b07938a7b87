import { RtError } from "../base/errors.ts";
import type { CreateOptions } from "../engine/container/run-options.ts";
import type { Engine, ImageVerbs } from "../engine/engine.ts";
import { isNear, isSsh, kindOf } from "../reference/kind.ts";
import type { PolicyRules } from "./policy-file.ts";
import { canonicalName, matchesAny, repositoryName } from "./policy-pattern.ts";
import { notAllowed } from "./policy-refusal.ts";

type Use = "create" | "pull" | "push" | "tag";

/** Which images may be used for what, and the verbs of images that are left. */
export class ImageRules {
  readonly #engine: Engine;
  readonly #rules: PolicyRules;

  constructor(engine: Engine, rules: PolicyRules) {
    this.#engine = engine;
    this.#rules = rules;
  }

  /**
   * An image that is here, by whatever name or id: any of its names may be the one that is allowed.
   * @throws RtError forbidden; not-found
   */
  async check(use: Use, text: string): Promise<void> {
    if (isOutside(text)) return this.checkName(use, text);
    const { RepoTags, RepoDigests } = await this.#engine.image.inspect(text);
    if (![...RepoTags, ...RepoDigests].some((name) => this.#isAllowed(use, name)))
      throw this.#notAllowed(use, text);
  }

  /** All of its names: what is done to it is done to each of them. */
  async #checkAll(use: Use, text: string): Promise<void> {
    const { RepoTags, RepoDigests } = await this.#engine.image.inspect(text);
    const names = [...RepoTags, ...RepoDigests];
    if (names.length === 0 || !names.every((name) => this.#isAllowed(use, name)))
      throw this.#notAllowed(use, text);
  }

  /** By a repository's name all of its tags go out. */
  async #checkSaved(text: string): Promise<void> {
    await this.check("push", text);
    if (/[:@][^/]*$/.test(text)) return;
    const repository = repositoryName(text);
    for (const { tags } of await this.#engine.image.list({}))
      for (const { name } of tags) if (repositoryName(name) === repository) this.checkName("push", name);
  }

  /** Of one that need not be here: by its name. @throws RtError forbidden */
  checkName(use: Use, text: string): void {
    if (!this.#isAllowed(use, text)) throw this.#notAllowed(use, text);
  }

  checkNew(reference: string | undefined): void {
    if (reference !== undefined && reference !== "") this.checkName("tag", reference);
  }

  /** One that is missing is fetched only where it may be. */
  async checkCreate(text: string, pull: CreateOptions["pull"]): Promise<CreateOptions["pull"]> {
    try {
      await this.check("create", text);
    } catch (error) {
      if (!(error instanceof RtError) || error.code !== "not-found") throw error;
      this.checkName("create", text);
    }
    return pull.policy === "never" || this.#isAllowed("pull", text) ? pull : { ...pull, policy: "never" };
  }

  #isAllowed(use: Use, text: string): boolean {
    const patterns = this.#rules.images[use];
    if (isSsh(text)) return false;
    if (isNear(text)) return kindOf(text).kind === "embed" && use === "create" && matchesAny(patterns, text);
    const name = canonicalName(kindOf(text).rest);
    return name !== undefined && matchesAny(patterns, name);
  }

  #notAllowed(use: Use, text: string): RtError {
    return notAllowed(`image ${text}`, `images.${use} of ${this.#rules.where}`);
  }

  verbs(): Partial<ImageVerbs> {
    const { image } = this.#engine;
    const distribution = async (text: string, options: unknown) => {
      this.checkName("pull", text);
      const verbs = image as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
      return verbs.distribution!(text, options);
    };
    return {
      list: (options) => image.list(options),
      inspect: (name, options) => image.inspect(name, options),
      history: (name, options) => image.history(name, options),
      pull: async (reference, options) => {
        this.checkName("pull", reference);
        if (options.tlsVerify === false)
          throw notAllowed("a registry that is not verified", "the network could be anybody's");
        return image.pull(reference, options);
      },
      push: async (name, options) => {
        this.checkName("push", name);
        if (options.destination !== undefined) this.checkName("push", options.destination);
        if (options.tlsVerify === false)
          throw notAllowed("a registry that is not verified", "the network could be anybody's");
        return image.push(name, options);
      },
      save: async (names, options) => {
        if (options.output !== undefined)
          throw notAllowed("a file of the host", "what comes and goes is the client's");
        for (const name of names) await this.#checkSaved(name);
        return image.save(names, options);
      },
      load: async (options) => {
        this.#checkLoad(options.input);
        return image.load(options);
      },
      import: async (options) => {
        this.#checkLoad(options.source === "-" ? undefined : options.source);
        this.checkNew(options.reference);
        return image.import(options);
      },
      tag: async (source, targets) => {
        for (const target of targets) this.checkName("tag", target);
        await this.check("create", source);
        return image.tag(source, targets);
      },
      remove: async (name, options) => {
        // By a name that is its own it loses that one alone.
        const { Id, RepoTags } = await image.inspect(name);
        const canonical = canonicalName(name);
        const isName = RepoTags.some((tag) => canonicalName(tag) === canonical);
        if (isName && RepoTags.length > 1) this.checkName("tag", name);
        else await this.#checkAll("tag", Id);
        return image.remove(name, options);
      },
      ...({ distribution } as Partial<ImageVerbs>),
    };
  }

  /** An archive says itself what its images are called. */
  #checkLoad(file: string | undefined): void {
    if (file !== undefined)
      throw notAllowed("a file of the host, or an address", "what comes is the client's");
    if (!this.#rules.images.load) throw notAllowed("image load", `images.load of ${this.#rules.where}`);
  }
}

function isOutside(text: string): boolean {
  return isNear(text) || isSsh(text);
}
