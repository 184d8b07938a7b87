import { Command, type Usage } from "clipanion/lib/advanced/Command.mjs";
import { Array as ArrayOption } from "clipanion/lib/advanced/options/Array.mjs";
import { Boolean as BooleanOption } from "clipanion/lib/advanced/options/Boolean.mjs";
import { Proxy as ProxyOption } from "clipanion/lib/advanced/options/Proxy.mjs";
import { Rest } from "clipanion/lib/advanced/options/Rest.mjs";
import { String as StringOption } from "clipanion/lib/advanced/options/String.mjs";
import type { CallerEnvironment } from "../base/environment.ts";
import type { Engine } from "../engine/engine.ts";
import type { OpenEngine } from "./engine.ts";
import type { EnginePlace } from "./engine-place.ts";
import type { Output } from "./output/output.ts";
import type { Stream } from "./session.ts";

/**
 * What every command is made of: clipanion's declarations from their light entry points (see clipanion.d.ts), parsed by
 * grammar.ts in the way that Docker's users know.
 *
 * A description starts with what the flag's value is called in the help, in backquotes, when it takes one.
 */
export const Option = {
  Array: ArrayOption,
  Boolean: BooleanOption,
  Proxy: ProxyOption,
  Rest,
  String: StringOption,
};

export interface Context {
  /** What the executable is called: as "docker" it is a command line of Docker's. */
  program: "rt" | "docker";
  /** What rt itself obeys. */
  env: NodeJS.ProcessEnv;
  /** The command's path, once it is known: "container ls". */
  command?: string;
  /** What a container or a program of the user's may be given. */
  caller: CallerEnvironment;
  stdout: Output;
  stderr: Output;
  openEngine: OpenEngine;
  /** Which engine, where flags in front of the command or the executable's name say it. */
  place?: EnginePlace;
}

export type { Usage };

/** A flag as it was given: its spelling there ("-e", "--env"), and the value. */
export interface GivenFlag {
  name: string;
  value: string | boolean;
}

/** Well-known flags of Docker that rt will have one day: name without dashes -> what they need. */
export type LaterFlags = Readonly<Record<string, string>>;

export abstract class RtCommand extends Command<Context> {
  static later: LaterFlags = {};

  /** What follows its name, where that has several forms: lines of its usage. */
  static forms: readonly string[] = [];

  /** The flags behind the command, in their order. */
  given: readonly GivenFlag[] = [];

  root = Option.String("--root", { description: "`PATH` Directory of images and containers (RT_ROOT)" });
  state = Option.String("--state", { description: "`PATH` Directory of what runs now (RT_STATE)" });
  config = Option.String("--config", {
    description: "`FILE` Configuration (default /etc/rt/config.toml, then ~/.config/rt/)",
  });
  storageDriver = Option.String("--storage-driver", {
    description: "`NAME` Snapshot driver: overlay or copy (RT_STORAGE_DRIVER)",
  });
  logLevel = Option.String("--log-level", { description: "`LEVEL` debug, info, warn or error" });
  debug = Option.Boolean("-D,--debug", false, {
    description: "Debug mode: log level debug, stacks of errors",
  });

  /**
   * The engine that the flags name, for this command as its caller. What needs none does not load it.
   * @throws RtError forbidden: `needsRoot`, and we are not; not-found | invalid-argument: what the flags name
   */
  protected async engine({
    needsRoot = false,
    detachKeys = noKeys,
    attached,
  }: {
    needsRoot?: boolean;
    detachKeys?: Uint8Array;
    /** Which of ours a program may have; all when undefined. */
    attached?: readonly Stream[] | undefined;
  } = {}): Promise<Engine> {
    const { env, caller, stderr, openEngine, place } = this.context;
    const { processSession } = await import("./session.ts");
    return openEngine(processSession(stderr, detachKeys, attached), {
      root: this.root,
      state: this.state,
      config: this.config,
      storageDriver: this.storageDriver,
      env,
      caller,
      place,
      privileged: needsRoot ? this.path.join(" ") : undefined,
    });
  }
}

const noKeys = new Uint8Array();

export interface CommandClass<T extends RtCommand = RtCommand> {
  new (): T;
  usage?: Usage;
  later: LaterFlags;
  forms: readonly string[];
}
