import type { SentImage } from "../destination/destination.ts";
import type { ContainerInspect } from "../docker/container-inspect.ts";
import type { PrunedContainers } from "../docker/container-prune.ts";
import type { ContainerSummary } from "../docker/container-summary.ts";
import type { DiskUsage } from "../docker/disk-usage.ts";
import type { DistributionInspect } from "../docker/distribution.ts";
import type { EventMessage } from "../docker/event.ts";
import type { ExecInspect } from "../docker/exec-inspect.ts";
import type { Filters } from "../docker/filters.ts";
import type { ImageDeleteItem, PrunedImages } from "../docker/image-delete.ts";
import type { ImageHistoryItem } from "../docker/image-history.ts";
import type { ImageInspect } from "../docker/image-inspect.ts";
import type { ImageSummary } from "../docker/image-summary.ts";
import type { Info } from "../docker/info.ts";
import type { JobDocument } from "../docker/job.ts";
import type { NetworkDocument, PrunedNetworks } from "../docker/network.ts";
import type { PathStat } from "../docker/path-stat.ts";
import type { ProcessTable } from "../docker/process-table.ts";
import type { RegistryCredentials } from "../docker/registry-auth.ts";
import type { SearchResult } from "../docker/search-result.ts";
import type { StatsDocument } from "../docker/stats.ts";
import type { Version } from "../docker/version.ts";
import type { PrunedVolumes, VolumeDocument } from "../docker/volume.ts";
import type { Digest } from "../oci/digest.ts";
import type { PortWish } from "../settings/port.ts";
import type { Change } from "../snapshot/snapshot.ts";
import type { AttachCommandOptions } from "./container/attach.ts";
import type { CommitOptions } from "./container/commit.ts";
import type { CopyFromOptions, CopyToOptions } from "./container/copy.ts";
import type { ExecOptions, StartExecOptions } from "./container/exec-options.ts";
import type { ListOptions } from "./container/list.ts";
import type { LogsOptions } from "./container/logs.ts";
import type { CreateOptions, RunOptions } from "./container/run-options.ts";
import type { StartOptions } from "./container/start-options.ts";
import type { StatsOptions } from "./container/stats.ts";
import type { StopOptions } from "./container/stop.ts";
import type { UpdateOptions } from "./container/update.ts";
import type { WaitOptions } from "./container/wait.ts";
import type { Explanation } from "./container/why.ts";
import type { CopyImageOptions } from "./image/copy.ts";
import type { DistributionOptions } from "./image/distribution.ts";
import type { ImportOptions } from "./image/import.ts";
import type { ImagesOptions } from "./image/list.ts";
import type { LoadOptions } from "./image/load.ts";
import type { PackOptions, PackResult } from "./image/pack.ts";
import type { PlatformOptions } from "./image/platform.ts";
import type { PulledImage, PullOptions } from "./image/pull.ts";
import type { PushAllOptions, PushOptions } from "./image/push.ts";
import type { RemoveImageOptions } from "./image/remove.ts";
import type { SaveOptions } from "./image/save.ts";
import type { Annotation } from "./manifest/annotate.ts";
import type { CreateListOptions } from "./manifest/create.ts";
import type { InspectManifestOptions, ManifestInspect } from "./manifest/inspect.ts";
import type { PushedList, PushListOptions } from "./manifest/push.ts";
import type { ConnectOptions } from "./network/connect.ts";
import type { CreateNetworkOptions } from "./network/create.ts";
import type { Account } from "./registry/credentials.ts";
import type { LoginOptions, LoginResult } from "./registry/login.ts";
import type { SearchOptions } from "./registry/search.ts";
import type { ServeOptions } from "./registry/serve.ts";
import type { Session, WindowSize } from "./session.ts";
import type { Finding } from "./system/check.ts";
import type { Lack } from "./system/check-host.ts";
import type { EachContainer } from "./system/each-container.ts";
import type { EventsOptions } from "./system/events.ts";
import type { FilterFacts } from "./system/seccomp.ts";
import type { CreateVolumeOptions } from "./volume/create.ts";

/**
 * What can be asked of an engine, noun by noun: the one thing that commands know of it, whether it is in this process
 * (local.ts) or elsewhere. It belongs to one caller, whose stdio, terminal, warnings and patience are its session's.
 *
 *   using engine = await openLocal(session, { root: "/var/lib/rt" })
 *   const status = await engine.container.run({ image: "alpine", command: ["true"], … })
 *
 * Every verb fails with an RtError, whose class says of what kind; test/contract/engine has what each keeps to.
 */
export interface Engine extends Disposable {
  readonly container: ContainerVerbs;
  readonly exec: ExecVerbs;
  readonly image: ImageVerbs;
  readonly volume: VolumeVerbs;
  readonly network: NetworkVerbs;
  readonly registry: RegistryVerbs;
  readonly manifest: ManifestVerbs;
  readonly system: SystemVerbs;
  /** The same engine, for another caller. */
  as(session: Session): Engine;
}

export interface ContainerVerbs {
  /** A new container of an image, from its making to its end. @returns the program's exit status; 0 after detaching */
  run(options: RunOptions): Promise<number>;
  /** The caller's stdio to a container that runs already, or ahead of its start. @returns the program's exit status; 0 after detaching */
  attach(name: string, options: AttachCommandOptions): Promise<number>;
  /** The terminal of one that runs has another size; one without a terminal stays as it is. */
  resize(name: string, size: WindowSize): Promise<void>;
  /** Another program in a running container, created and started at once. @returns its exit status; 0 when detached */
  exec(options: ExecOptions): Promise<number>;
  /** What a monitor becomes in the end: how the container `id` ended is written down, and one of --rm removed. */
  conclude(id: string): Promise<void>;
  /** The same when the restart policy has the program started again. */
  restartByPolicy(id: string): Promise<void>;
  /** @param signal a name or a number as text */
  kill(name: string, signal: string): Promise<void>;
  /** A new container of an image that nothing runs in yet. @returns its id */
  create(options: CreateOptions): Promise<string>;
  /** The program of one that does not run. @returns its exit status when it is attached; else 0, as after detaching */
  start(name: string, options: StartOptions): Promise<number>;
  /** Stopped where it runs, and started. */
  restart(name: string, options: StopOptions): Promise<void>;
  /** Its stop signal, some patience, then SIGKILL; one that does not run is as it should be. */
  stop(name: string, options: StopOptions): Promise<void>;
  /** @returns the exit status, once the container does not run (at once where it does not), or as the options have it */
  wait(name: string, options?: WaitOptions): Promise<number>;
  /** All its processes stand still. */
  pause(name: string): Promise<void>;
  unpause(name: string): Promise<void>;
  /** @param newName under which it is found from here on */
  rename(name: string, newName: string): Promise<void>;
  /** What can be changed of a container, running or not. */
  update(name: string, options: UpdateOptions): Promise<void>;
  /** Its processes. @param psArguments as for ps(1): "-o pid,cmd"; docker's columns when there are none */
  top(name: string, psArguments: readonly string[]): Promise<ProcessTable>;
  /** What containers use, all of them at each look: once, or each second until the caller goes. */
  stats(options: StatsOptions): Promise<AsyncIterable<StatsDocument[]>>;
  /** What a container's program wrote, to the caller's output. */
  logs(name: string, options: LogsOptions): Promise<void>;
  /** Ports of the host lead to one that runs, from here on and after a restart. */
  publish(name: string, ports: readonly PortWish[]): Promise<void>;
  /** They lead nowhere any more; one without a port of the host's is all that lead to that port. */
  unpublish(name: string, ports: readonly PortWish[]): Promise<void>;
  /** Why it ended, is about to be started again, or does not start. */
  why(name: string): Promise<Explanation>;
  /** What a container changed of its image's files, by path. */
  diff(name: string): Promise<Change[]>;
  /** A new image of what a container has. @returns its id */
  commit(name: string, options: CommitOptions): Promise<string>;
  /** A container's root as a tar archive, to an open file of the caller's or to his output. */
  export(name: string, file?: number): Promise<void>;
  /** What is at a path of a container; what its last part leads to, where that is a link, is said besides. */
  stat(name: string, path: string): Promise<PathStat>;
  /** Files out of a container, to the host or as an archive to the caller's output. @returns bytes of an archive of it */
  copyFrom(name: string, path: string, options: CopyFromOptions): Promise<number>;
  /** Files into a container, of the host or of an archive that is the caller's input. @returns as `copyFrom` */
  copyTo(name: string, path: string, options: CopyToOptions): Promise<number>;
  /** Newest first. */
  list(options: ListOptions): Promise<ContainerSummary[]>;
  /** Docker's document. @param options with `size` it says what the container's files take, which is looked for among them */
  inspect(name: string, options?: { size?: boolean }): Promise<ContainerInspect>;
  remove(name: string, options: { force: boolean; volumes: boolean }): Promise<void>;
  /** All that do not run are removed, and their volumes stay. */
  prune(options: { filters: Filters }): Promise<PrunedContainers>;
}

export interface ExecVerbs {
  /** Another program for a running container, until somebody starts it or the container ends. @returns its id */
  create(options: ExecOptions): Promise<string>;
  /** Executed, once. @returns its exit status; 0 when detached */
  start(id: string, options: StartExecOptions): Promise<number>;
  /** The size of its terminal, also ahead of its start. */
  resize(id: string, size: WindowSize): Promise<void>;
  /** Docker's document. @param id of `create` or `container.exec`, as its events have it; in full */
  inspect(id: string): Promise<ExecInspect>;
}

export interface ImageVerbs {
  /** @param reference a name, or a file ("oci:DIR", "docker-archive:FILE", …) */
  pull(reference: string, options: PullOptions): Promise<PulledImage>;
  /** An image that is here to a registry, a directory or an archive. @returns what it is called there by digest */
  push(name: string, options: PushOptions): Promise<SentImage>;
  /** The same of all tags that a repository has here. */
  pushAll(repository: string, options: PushAllOptions): Promise<void>;
  /** Images that are here into one archive, to a file or to the caller's output. */
  save(names: readonly string[], options: SaveOptions): Promise<void>;
  /** All images of an archive that docker, podman, containerd or BuildKit wrote. */
  load(options: LoadOptions): Promise<void>;
  /** A root file system's archive as an image of one layer. @returns its id */
  import(options: ImportOptions): Promise<Digest>;
  /** One from anywhere to anywhere, past the store; from and to as pull and push have them. */
  copy(from: string, to: string, options: CopyImageOptions): Promise<SentImage>;
  /** Newest first. */
  list(options: ImagesOptions): Promise<ImageSummary[]>;
  /** Docker's document. */
  inspect(name: string, options?: PlatformOptions): Promise<ImageInspect>;
  /** How it was made, the last step first. */
  history(name: string, options?: PlatformOptions): Promise<ImageHistoryItem[]>;
  /** More names for an image that is here. */
  tag(source: string, targets: readonly string[]): Promise<void>;
  /** Fewer: of its names these, or all where there are none. The image stays. */
  untag(name: string, names: readonly string[]): Promise<void>;
  /** @returns what is gone, in the order in which to tell */
  remove(name: string, options: RemoveImageOptions): Promise<ImageDeleteItem[]>;
  /** Remove what no container has: images without a tag, or with the filter `dangling=false` all. */
  prune(options: { filters: Filters }): Promise<PrunedImages>;
  /** What a registry has by a name, without bringing it here. */
  distribution(reference: string, options: DistributionOptions): Promise<DistributionInspect>;
  /** One executable file of rt and an image. */
  pack(options: PackOptions): Promise<PackResult>;
}

export interface VolumeVerbs {
  /** One of this name that is there already is left as it is, and answered. */
  create(options: CreateVolumeOptions): Promise<VolumeDocument>;
  /** By name. */
  list(options: { filters: Filters }): Promise<VolumeDocument[]>;
  inspect(name: string): Promise<VolumeDocument>;
  /** @param options with `force` one that is not there is fine; in use is in use */
  remove(name: string, options: { force: boolean }): Promise<void>;
  /** Remove what no container has: of those that nobody named, or with the filter `all=true` of all. */
  prune(options: { filters: Filters }): Promise<PrunedVolumes>;
}

export interface NetworkVerbs {
  /** A new one; on the host nothing is made before a container needs it. @returns its id */
  create(options: CreateNetworkOptions): Promise<string>;
  /** By name. */
  list(options: { filters: Filters }): Promise<NetworkDocument[]>;
  inspect(name: string): Promise<NetworkDocument>;
  /** @param options with `force` one that is not there is fine; in use is in use @returns whether there was one */
  remove(name: string, options: { force: boolean }): Promise<boolean>;
  /** Remove what no container runs in. */
  prune(options: { filters: Filters }): Promise<PrunedNetworks>;
  /** A container is in one more from here on, running or not. @param container its name or id */
  connect(name: string, container: string, options: ConnectOptions): Promise<void>;
  /** In one less. @param options with `force` the network need not be there any more */
  disconnect(name: string, container: string, options: { force: boolean }): Promise<void>;
  /** What running containers need of it on the host is made again. */
  reload(): Promise<void>;
}

/** Of others: the images themselves come and go by ImageVerbs. */
export interface RegistryVerbs {
  /** Who is logged in to a registry, Docker Hub unless one is named; undefined: nobody, or by a token. */
  account(server: string | undefined): Promise<Account | undefined>;
  /**
   * Who the caller is to a registry, for an engine elsewhere that asks it in his name. @param repository "host/path"
   * @returns undefined: nobody
   */
  credentials(repository: string): Promise<RegistryCredentials | undefined>;
  /** A password is shown to a registry, and kept once it was taken. */
  login(options: LoginOptions): Promise<LoginResult>;
  /** What a login has kept is forgotten; that there is nothing is fine. */
  logout(server: string | undefined): Promise<void>;
  /** Repositories with a term in their name: Docker Hub's, or those of the host in "HOST/TERM". Most stars first. */
  search(text: string, options: SearchOptions): Promise<SearchResult[]>;
  /** This host's images to others, and theirs to this host, until the session aborts. */
  serve(options: ServeOptions): Promise<void>;
}

/** Of images for several platforms: lists that are made here, until they are pushed, and what a registry has. */
export interface ManifestVerbs {
  /** A manifest, or an index, by a list's name here or a reference. */
  inspect(reference: string, options: InspectManifestOptions): Promise<ManifestInspect>;
  /** A new list of these images, those that are here or a registry's. @returns its name in full */
  create(list: string, manifests: readonly string[], options: CreateListOptions): Promise<string>;
  /** Where one of its images runs. */
  annotate(list: string, manifest: string, annotation: Annotation): Promise<void>;
  /** To its registry, with all that it names. */
  push(list: string, options: PushListOptions): Promise<PushedList>;
  remove(list: string): Promise<void>;
}

export interface SystemVerbs {
  /** What happens, as it happens, until the caller goes or `until`. */
  events(options: EventsOptions): Promise<AsyncIterable<EventMessage>>;
  /** What in the store is not as it was written, as it is found. Reads all of it, and changes nothing. */
  check(): Promise<AsyncIterable<Finding>>;
  /** What an ordinary user lacks on this host, and how to get it. */
  checkHost(): Promise<Lack[]>;
  /** What takes room on the disk. */
  diskUsage(): Promise<DiskUsage>;
  info(): Promise<Info>;
  /** What a daemon is doing for its clients, oldest first. The engine of this process has none. */
  jobs(): Promise<JobDocument[]>;
  /** Which system calls are let through: of a container, or of a new one that asks for nothing. */
  seccomp(container?: string): Promise<FilterFacts>;
  /** This process becomes `command`, or a shell, as root of its ordinary user's namespace. It does not return. */
  unshare(command: readonly string[]): Promise<void>;
  /** An ordinary user's namespace ends, where nothing runs in it. False: there was none. */
  migrate(): Promise<boolean>;
  version(): Promise<Version>;
  /** The far end of a push over ssh, at the caller's stdin and stdout. @returns the exit status: failures are told there */
  receive(): Promise<number>;
  /** That of a pull. */
  send(): Promise<number>;
  /** What is to run after a start of the machine is started: as restart policies and the last stop say. Told of each. */
  up(options: EachContainer): Promise<void>;
  /** All that run are stopped, and come up again with `up`. */
  down(options: EachContainer): Promise<void>;
}
