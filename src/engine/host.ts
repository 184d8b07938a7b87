import { join } from "node:path";
import type { Config } from "../base/config.ts";
import { type CallerEnvironment, environmentOf } from "../base/environment.ts";
import { setLeave } from "../base/leave.ts";
import { type Paths, resolvePaths } from "../base/paths.ts";
import { rootlessCaller } from "../base/rootless.ts";
import { ContainerStore } from "../container/container-store.ts";
import { readRecordCopy } from "../container/state-file.ts";
import type { ContentStore } from "../content/content-store.ts";
import { ImageStore } from "../image/image-store.ts";
import { NameStore } from "../network/name-store.ts";
import type { Networks } from "../network/networks.ts";
import { packedReference } from "../reference/kind.ts";
import { exitProcess } from "../runtime/process.ts";
import type { SnapshotDriver } from "../snapshot/snapshot.ts";
import type { EmbeddedLayout } from "../source/embedded.ts";
import { Database } from "../store/database.ts";
import type { VolumeStore } from "../volume/volume-store.ts";
import { LiveExecs } from "./live-execs.ts";
import type { Session } from "./session.ts";
import { StartWaiters } from "./start-waiters.ts";

export interface HostOptions {
  root?: string | undefined;
  state?: string | undefined;
  /** `--config FILE`. */
  config?: string | undefined;
  /** `--storage-driver`, above RT_STORAGE_DRIVER and the configuration file. */
  storageDriver?: string | undefined;
  env?: NodeJS.ProcessEnv;
  /** Given to credential helpers; `env` unless it is given. */
  caller?: CallerEnvironment;
  /** A layout that is embedded in this executable, for "embed:NAME"; undefined if there is none. */
  embedded?: (name: string) => Promise<EmbeddedLayout | undefined>;
  /** Instead of the driver that `--storage-driver`, the configuration or a probe would choose. */
  snapshots?: SnapshotDriver;
}

async function embeddedLayout(name: string): Promise<EmbeddedLayout | undefined> {
  const { embeddedImage } = await import("../app/embedded.ts");
  return embeddedImage(name);
}

interface Opened {
  config?: Config;
  database?: Database;
  images?: ImageStore;
  containers?: ContainerStore;
  content?: ContentStore;
  volumes?: VolumeStore;
  networks?: Networks;
  names?: NameStore;
  snapshots?: SnapshotDriver;
  startWaiters?: StartWaiters;
  liveExecs?: LiveExecs;
  reaping?: Disposable;
}

/**
 * What a command works on: the directories, and the stores in them. Nothing is opened or read before it is asked for,
 * and what only some commands need is not even loaded.
 */
export class Host implements Disposable {
  readonly session: Session;
  readonly paths: Paths;
  readonly env: NodeJS.ProcessEnv;
  readonly caller: CallerEnvironment;
  readonly embedded: HostOptions["embedded"];
  readonly #options: HostOptions;
  /** Shared with the hosts of other sessions. */
  readonly #opened: Opened = {};

  /** @param of whose directories, environment and open stores are shared */
  constructor(session: Session, options: HostOptions = {}, of?: Host) {
    this.session = session;
    this.#options = options;
    if (of) {
      [this.paths, this.env, this.caller, this.embedded] = [of.paths, of.env, of.caller, of.embedded];
      this.#opened = of.#opened;
      return;
    }
    this.env = options.env ?? process.env;
    this.caller = options.caller ?? environmentOf(this.env);
    this.embedded = options.embedded ?? embeddedLayout;
    if (options.snapshots) this.#opened.snapshots = options.snapshots;
    this.paths = resolvePaths(
      {
        ...(options.root !== undefined && { root: options.root }),
        ...(options.state !== undefined && { state: options.state }),
      },
      this.env,
    );
  }

  /** The same directories and open stores, for another caller. */
  as(session: Session): Host {
    // Who works for several callers outlives what it starts for them: monitors, which nobody waits for.
    this.#opened.reaping ??= (
      require("../runtime/reap.ts") as typeof import("../runtime/reap.ts")
    ).reapHelpers();
    return new Host(session, this.#options, this);
  }

  warn(line: string): void {
    this.session.warn(line);
  }

  get database(): Database {
    if (!this.#opened.database) {
      this.#opened.database = Database.open(this.paths.root);
      setLeave(exitProcess);
    }
    return this.#opened.database;
  }

  get images(): ImageStore {
    this.#opened.images ??= new ImageStore(this.database);
    return this.#opened.images;
  }

  get containers(): ContainerStore {
    const copyOf = (id: string) => readRecordCopy(this.stateOf(id));
    this.#opened.containers ??= new ContainerStore(this.database, copyOf, this.names);
    return this.#opened.containers;
  }

  async content(): Promise<ContentStore> {
    if (!this.#opened.content) {
      const { ContentStore } = await import("../content/content-store.ts");
      this.#opened.content = new ContentStore(this.paths.root);
    }
    return this.#opened.content;
  }

  async volumes(): Promise<VolumeStore> {
    if (!this.#opened.volumes) {
      const { VolumeStore } = await import("../volume/volume-store.ts");
      this.#opened.volumes = new VolumeStore(this.database, this.paths.root);
    }
    return this.#opened.volumes;
  }

  async networks(): Promise<Networks> {
    if (!this.#opened.networks) {
      const { Networks } = await import("../network/networks.ts");
      this.#opened.networks = new Networks(this.database, this.paths.root);
      if (rootlessCaller()) (await import("../network/world.ts")).findWorld(this.paths.state);
    }
    return this.#opened.networks;
  }

  get names(): NameStore {
    this.#opened.names ??= new NameStore(this.database, this.paths.state);
    return this.#opened.names;
  }

  get startWaiters(): StartWaiters {
    this.#opened.startWaiters ??= new StartWaiters();
    return this.#opened.startWaiters;
  }

  get liveExecs(): LiveExecs {
    this.#opened.liveExecs ??= new LiveExecs();
    return this.#opened.liveExecs;
  }

  async config(): Promise<Config> {
    if (!this.#opened.config) {
      const { readConfig } = await import("../base/config-files.ts");
      this.#opened.config = await readConfig({ file: this.#options.config, env: this.env });
    }
    return this.#opened.config;
  }

  /** Of the flags: what another rt needs besides the directories to see the same. */
  get configWords(): string[] {
    const { config, storageDriver } = this.#options;
    return [
      ...(config === undefined ? [] : ["--config", config]),
      ...(storageDriver === undefined ? [] : ["--storage-driver", storageDriver]),
    ];
  }

  /** Is there what the flags name? @throws RtError not-found | invalid-argument */
  async check(): Promise<void> {
    await this.config();
    const { storageDriver } = this.#options;
    if (storageDriver) (await import("../snapshot/select.ts")).candidateCalled(storageDriver);
  }

  /** The driver that was asked for by flag, environment or configuration, in this order; else undefined: probe. */
  async storageDriver(): Promise<string | undefined> {
    const asked = this.#options.storageDriver || this.env.RT_STORAGE_DRIVER;
    return asked || (await this.config()).storageDriver;
  }

  async snapshots(): Promise<SnapshotDriver> {
    if (!this.#opened.snapshots) {
      const { selectDriver } = await import("../snapshot/select.ts");
      this.#opened.snapshots = await selectDriver(this.paths.root, await this.storageDriver());
    }
    return this.#opened.snapshots;
  }

  /** The driver of this name, whichever is in use: for what was made when another was. */
  async snapshotsOf(name: string): Promise<SnapshotDriver> {
    const own = await this.snapshots();
    if (own.name === name) return own;
    const { selectDriver } = await import("../snapshot/select.ts");
    return selectDriver(this.paths.root, name);
  }

  /** The driver of this name, which made a container's top; where that is unknown or none, every driver that there is. */
  async driversFor(name: string | undefined): Promise<SnapshotDriver[]> {
    const own = await this.snapshots();
    if (own.name === name) return [own];
    const { driverNames } = await import("../snapshot/select.ts");
    const wanted = driverNames.filter((known) => known === name);
    return Promise.all((wanted.length > 0 ? wanted : driverNames).map((known) => this.snapshotsOf(known)));
  }

  /**
   * What the store calls the image that the user calls `text`: the one in this executable has a name of its own there, as
   * another app's image is "embed:packed" to that app.
   */
  async localName(text: string): Promise<string> {
    if (text !== packedReference) return text;
    return (await this.embedded?.("packed"))?.reference ?? text;
  }

  /** The state directory of a container: its monitor's files. */
  stateOf(containerId: string): string {
    return join(this.paths.state, "containers", containerId);
  }

  /** What lasts of a container besides its record and its top: its log. */
  filesOf(containerId: string): string {
    return join(this.filesRoot, containerId);
  }

  get filesRoot(): string {
    return join(this.paths.root, "containers");
  }

  close(): void {
    const { database } = this.#opened;
    for (const store of ["database", "images", "containers", "volumes", "networks", "names"] as const)
      delete this.#opened[store];
    database?.close();
    this.#opened.reaping?.[Symbol.dispose]();
    delete this.#opened.reaping;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
