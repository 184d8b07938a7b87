/** What the rows ask of an engine; the command lines are for its own shell. */
import { existsSync } from "node:fs";
import { until } from "../support/wait.ts";
import type { Shell } from "./shell.ts";

/** Unpacked once for all: engines without images run from `rootfs`, the others pull `reference`. */
export interface Image {
  reference: string;
  /** Its tree, as a path of the host. */
  rootfs: string;
}

export interface Engine {
  readonly name: string;
  readonly version: string;
  readonly shell: Shell;
  /** Begins with an empty store in `dir`, a path of the shell; a daemon is up when this returns. */
  open(dir: string): Promise<void>;
  /** Stops what `open` started; containers are gone before. */
  close(): Promise<void>;
  /** Has the image at hand for `run` and `start`. */
  prepare(image: Image): Promise<void>;
  /** A foreground container without network that is removed when its program ends. */
  run(program: string): string;
  /** A background container, up when this returns: what of the engine stays with it is its own affair. */
  start(name: string, program: string): Promise<void>;
  exec(name: string, program: string): string;
  remove(name: string): Promise<void>;
  /** Absent where there are no images. */
  images?: ImageCommands;
  /** Absent where a container is not more than a process. */
  daily?: DailyCommands;
  /** Absent where there is no daemon. */
  api?: EngineApi;
}

/** Docker's API, as the engine's daemon has it. */
export interface EngineApi {
  /** A daemon is up, on `open`'s store. */
  serve(): Promise<Served>;
  /** What a container without network is made of; `log`: see `wholeLog`. */
  document(program: readonly string[], log?: LogConfig): object;
  /** A log in a file that keeps all. */
  wholeLog: LogConfig;
}

export interface Served {
  /** A path of the host; the daemon has "unix://" and its own path of it among its arguments. */
  socket: string;
  stop(): Promise<void>;
}

export interface LogConfig {
  Type: string;
  Config: Record<string, string>;
}

/** @param image as the daemon has it */
export function containerDocument(image: string, program: readonly string[], log?: LogConfig): object {
  // A host may lack the pids controller, which podman's default limit wants.
  const HostConfig = { NetworkMode: "none", PidsLimit: 0, ...(log && { LogConfig: log }) };
  return { Image: image, Cmd: program, HostConfig };
}

/** A daemon in the background of the engine's shell, until it is stopped. @param command without its address */
export async function serveInBackground(
  shell: Shell,
  command: (address: string) => string,
  socket: string,
): Promise<Served> {
  const log = `${shell.inside(socket)}.log`;
  const pid = await shell.ok(`{ ${command(`unix://${shell.inside(socket)}`)} >${log} 2>&1 & }; echo $!`);
  const stop = async () => void (await shell.ok(`kill ${pid}; wait ${pid}; true`, 60_000));
  try {
    await until(`${socket} is there`, () => existsSync(socket), 30_000);
  } catch (error) {
    const said = await shell.ok(`tail -n 3 ${log}`);
    await stop();
    throw new Error(`${(error as Error).message}: ${said}`);
  }
  return { socket, stop };
}

/** What all of them are typed alike, but for where they are and a flag or two. */
export interface DailyCommands {
  /** "podman --root …": a verb follows. */
  command: () => string;
  /** `run` or `create` with what they need, up to the image; `flags` among them. */
  make: (verb: "run" | "create", flags: string) => string;
  image: () => string;
  /** Flags with which a log in a file keeps all. */
  wholeLog: string;
}

export interface ImageCommands {
  pull(reference: string): string;
  /** Prints the ids of all images, "sha256:…" or bare hex, one a line. */
  ids(): string;
  tag(reference: string, name: string): string;
  push(reference: string): string;
  /** `file` as the shell sees it. */
  save(reference: string, file: string): string;
  load(file: string): string;
}
