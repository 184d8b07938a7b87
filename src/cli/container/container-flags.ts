import { visible } from "../../base/visible.ts";
import type { PullListener } from "../../engine/container/run-options.ts";
import type { LayerProgress } from "../../engine/image/pull.ts";
import { Option, RtCommand } from "../command.ts";
import { type LayerReporter, layerReporter, pullWordings } from "../output/layer-progress.ts";
import { programFlags } from "./program-flags.ts";
import { resourceFlags } from "./resource-flags.ts";

/**
 * The command line of those who make a container, or an app that will: what it is to be, and IMAGE and COMMAND.
 * What is said about staying with its program is run's own.
 */
export abstract class ContainerFlags extends RtCommand {
  static override later = {
    ...each("it comes in a later version", "link-local-ip"),
    ...each("only rt run leaves its program to itself", "d detach"),
    ...each("it comes in a later version", "volume-driver runtime isolation"),
    "disable-content-trust": "signatures are not checked; digests always are",
  };

  addHosts = Option.Array("--add-host", [], {
    description: "`HOST:ADDRESS` Add a line to /etc/hosts; host-gateway is the host",
  });
  annotations = Option.Array("--annotation", [], { description: "`KEY=VALUE` Add an annotation" });
  attach = Option.Array("-a,--attach", [], {
    description: "`STREAM` Attach to stdin, stdout or stderr alone",
  });
  bandwidthDown = resourceFlags.bandwidthDown();
  bandwidthUp = resourceFlags.bandwidthUp();
  blkioWeight = resourceFlags.blkioWeight();
  blkioWeightDevices = resourceFlags.blkioWeightDevices();
  capAdd = Option.Array("--cap-add", [], { description: "`NAME` Add a Linux capability, or ALL" });
  capDrop = Option.Array("--cap-drop", [], { description: "`NAME` Drop a Linux capability, or ALL" });
  cgroupConf = resourceFlags.cgroupConf();
  cgroupParent = Option.String("--cgroup-parent", {
    description: "`PATH` Make its cgroup below this one (default /rt)",
  });
  cgroupns = Option.String("--cgroupns", {
    description: "`MODE` Cgroup namespace: private (default), host, container:NAME or ns:PATH",
  });
  cidFile = Option.String("--cidfile", { description: "`FILE` Write the container's id to this file" });
  cpuPeriod = resourceFlags.cpuPeriod();
  cpuQuota = resourceFlags.cpuQuota();
  cpuRtPeriod = resourceFlags.cpuRtPeriod();
  cpuRtRuntime = resourceFlags.cpuRtRuntime();
  cpuShares = resourceFlags.cpuShares();
  cpus = resourceFlags.cpus();
  cpusetCpus = resourceFlags.cpusetCpus();
  cpusetMems = resourceFlags.cpusetMems();
  devices = Option.Array("--device", [], {
    description:
      "`DEVICE` Add a host device, as /dev/x[:/dev/y][:rwm], or one of CDI, as vendor.com/class=name",
  });
  deviceCgroupRules = resourceFlags.deviceCgroupRules();
  deviceReadBps = resourceFlags.deviceReadBps();
  deviceReadIops = resourceFlags.deviceReadIops();
  deviceWriteBps = resourceFlags.deviceWriteBps();
  deviceWriteIops = resourceFlags.deviceWriteIops();
  dns = Option.Array("--dns", [], { description: "`ADDRESS` Use this name server" });
  dnsOptions = Option.Array("--dns-option,--dns-opt", [], {
    description: "`OPTION` Option of the resolver, as ndots:2",
  });
  dnsSearch = Option.Array("--dns-search", [], {
    description: "`DOMAIN` Look for names in this domain too; . is none",
  });
  domainname = Option.String("--domainname", { description: "`NAME` NIS domain name of the container" });
  egressAllow = Option.Array("--egress-allow", [], {
    description: "`TO` Close all but NAME, *.NAME, ADDRESS or CIDR, with :PORT or without, or none",
  });
  entrypoint = Option.String("--entrypoint", {
    description: "`PROGRAM` Run this in place of the image's entrypoint",
  });
  env = programFlags.env();
  envFiles = programFlags.envFiles();
  expose = Option.Array("--expose", [], {
    description: "`PORT[-PORT][/PROTOCOL]` A port that it answers at, for -P and for other containers",
  });
  gpus = Option.Array("--gpus", [], {
    description: "`GPUS` Add graphics processors by CDI: all, a number or device=0,1",
  });
  groupAdd = Option.Array("--group-add", [], {
    description: "`GROUP` Add a supplementary group, name or number; keep-groups is the caller's",
  });
  healthCmd = Option.String("--health-cmd", {
    description: "`COMMAND` Tell with this shell command whether the program is well",
  });
  healthInterval = Option.String("--health-interval", {
    description: "`DURATION` Between two checks (default 30s)",
  });
  healthOnFailure = Option.String("--health-on-failure", {
    description: "`ACTION` When it is unhealthy: none (default), kill, restart or stop",
  });
  healthRetries = Option.String("--health-retries", {
    description: "`N` Failures in a row that make it unhealthy (default 3)",
  });
  healthStartInterval = Option.String("--health-start-interval", {
    description: "`DURATION` Between two checks in the start period (default 5s)",
  });
  healthStartPeriod = Option.String("--health-start-period", {
    description: "`DURATION` After the start, in which failures do not count (default 0s)",
  });
  healthTimeout = Option.String("--health-timeout", {
    description: "`DURATION` That one check may take (default 30s)",
  });
  gidMap = Option.Array("--gidmap", [], {
    description: "`CONTAINER:HOST[:SIZE]` Group numbers of its own (default those of --uidmap)",
  });
  hostname = Option.String("-h,--hostname", {
    description: "`NAME` Host name of the container (default its short id)",
  });
  hugetlbLimits = resourceFlags.hugetlbLimits();
  init = Option.Boolean("--init", false, {
    description: "Run a small init as PID 1 that reaps and forwards signals",
  });
  interactive = programFlags.interactive();
  ip = Option.String("--ip", { description: "`ADDRESS` Its address in the network, as 172.18.0.5" });
  ip6 = Option.String("--ip6", { description: "`ADDRESS` Its address of IPv6 in the network" });
  ipc = Option.String("--ipc", {
    description: "`MODE` private (default), shareable, none, host, container:NAME or ns:PATH",
  });
  kernelMemory = resourceFlags.kernelMemory();
  labels = Option.Array("-l,--label", [], { description: "`KEY[=VALUE]` Add a label" });
  labelFiles = Option.Array("--label-file", [], {
    description: "`FILE` Add labels from a file of KEY=VALUE lines",
  });
  links = Option.Array("--link", [], {
    description: "`NAME[:ALIAS]` Another container, by a name of its own",
  });
  logDriver = Option.String("--log-driver", {
    description: "`NAME` What becomes of output: json-file (default), local, journald, syslog or none",
  });
  logOptions = Option.Array("--log-opt", [], {
    description: "`KEY=VALUE` max-size=10m (a file's, or -1), max-file=3, compress, tag, labels, env …",
  });
  macAddress = Option.String("--mac-address", {
    description: "`MAC` Of its interface, as 02:42:ac:12:00:05",
  });
  memory = resourceFlags.memory();
  memoryReservation = resourceFlags.memoryReservation();
  memorySwap = resourceFlags.memorySwap();
  memorySwappiness = resourceFlags.memorySwappiness();
  mounts = Option.Array("--mount", [], {
    description: "`SPEC` Mount, as type=bind|volume|tmpfs|image,src=…,dst=…[,ro]",
  });
  name = Option.String("--name", { description: "`NAME` Name of the container (default a random one)" });
  networks = Option.Array("--network,--net", [], {
    description:
      "`NAME` bridge (default, or RT_NETWORK), none, host, pasta, slirp4netns, one that was created, container:NAME or ns:PATH",
  });
  networkAliases = Option.Array("--network-alias,--net-alias", [], {
    description: "`NAME` Another name of it in the network",
  });
  oomKillDisable = resourceFlags.oomKillDisable();
  oomScoreAdj = Option.String("--oom-score-adj", {
    description: "`NUMBER` How readily it is ended where memory runs out, -1000 to 1000",
  });
  pid = Option.String("--pid", {
    description: "`MODE` Process numbers: host, container:NAME or ns:PATH (default its own)",
  });
  noHealthcheck = Option.Boolean("--no-healthcheck", false, {
    description: "Check nothing, whatever the image says",
  });
  pidsLimit = resourceFlags.pidsLimit();
  platform = Option.String("--platform", { description: "`PLATFORM` Platform of the image, as linux/amd64" });
  privileged = Option.Boolean("--privileged", false, {
    description: "All capabilities and devices, nothing masked",
  });
  publish = Option.Array("-p,--publish", [], {
    description: "`[[IP:]PORT:]PORT[/PROTOCOL]` A port of the host leads to one of the container",
  });
  publishAll = Option.Boolean("-P,--publish-all", false, {
    description: "Free ports of the host lead to all that it exposes",
  });
  pull = Option.String("--pull", "missing", {
    description: "`WHEN` Pull the image: always, missing (default) or never",
  });
  quiet = Option.Boolean("-q,--quiet", false, { description: "No progress of a pull" });
  readOnly = Option.Boolean("--read-only", false, { description: "Mount the root file system read-only" });
  readOnlyTmpfs = Option.Boolean("--read-only-tmpfs", false, {
    description: "With --read-only: a tmpfs at /tmp, /run and /var/tmp",
  });
  restart = Option.String("--restart", {
    description: "`POLICY` no (default), on-failure[:N], always or unless-stopped",
  });
  rm = Option.Boolean("--rm", false, { description: "Remove the container when it exits" });
  securityOptions = Option.Array("--security-opt", [], {
    description:
      "`OPTION` no-new-privileges, seccomp=FILE, builtin or unconfined, apparmor=, label=, systempaths=, mask=, unmask=, landlock=",
  });
  shmSize = Option.String("--shm-size", { description: "`SIZE` Size of /dev/shm (default 64m)" });
  stopSignal = Option.String("--stop-signal", {
    description: "`SIGNAL` Signal that asks the program to stop",
  });
  stopTimeout = Option.String("--stop-timeout", {
    description: "`SECONDS` From the stop signal to SIGKILL (default 10)",
  });
  storageOptions = Option.Array("--storage-opt", [], {
    description: "`KEY=VALUE` size=10g, where the file system has project quotas",
  });
  subgidName = Option.String("--subgidname", {
    description: "`NAME` Its groups are this name's of /etc/subgid",
  });
  subuidName = Option.String("--subuidname", {
    description: "`NAME` Its users are this name's of /etc/subuid",
  });
  sysctls = Option.Array("--sysctl", [], {
    description: "`KEY=VALUE` Set a kernel parameter of the container",
  });
  timeOffsets = Option.Array("--time-offset", [], {
    description: "`CLOCK=SECONDS` Put its monotonic or boottime clock so far forward",
  });
  tmpfs = Option.Array("--tmpfs", [], {
    description: "`PATH[:OPTIONS]` Mount a tmpfs; options as size=64m,mode=1777,ro",
  });
  tty = programFlags.tty();
  uidMap = Option.Array("--uidmap", [], {
    description: "`CONTAINER:HOST[:SIZE]` User numbers of its own: whose they are on the host",
  });
  ulimits = Option.Array("--ulimit", [], {
    description: "`NAME=SOFT[:HARD]` Set a limit, as nofile=1024:2048",
  });
  user = programFlags.user();
  userns = Option.String("--userns", {
    description: "`MODE` User namespace: host (default), auto, keep-id, nomap, container:NAME or ns:PATH",
  });
  uts = Option.String("--uts", {
    description: "`MODE` Host name: host, container:NAME or ns:PATH (default its own)",
  });
  volumes = Option.Array("-v,--volume", [], {
    description: "`[SRC:]DST[:ro]` Mount a host path or a volume",
  });
  volumesFrom = Option.Array("--volumes-from", [], {
    description: "`NAME[:ro]` Mount what that container has mounted",
  });
  workdir = programFlags.workdir();

  image = Option.String({ name: "IMAGE" });
  command = Option.Proxy({ name: "COMMAND" });

  /** Tells of a pull on standard error: standard output is the program's. @returns undefined with --quiet */
  protected pullListener(): PullListener | undefined {
    if (this.quiet) return undefined;
    const { stderr } = this.context;
    let reporter: LayerReporter<LayerProgress> | undefined;
    return {
      missing: (name) => stderr.write(`Unable to find image '${visible(name)}' locally\n`),
      progress: (progress) => {
        reporter ??= layerReporter(stderr, pullWordings);
        reporter.layer(progress);
      },
      end: () => reporter?.end(),
    };
  }
}

/** Each of the names, which are parted by spaces, with the reason why it has to wait. */
function each(reason: string, ...names: string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((line) => line.split(" ")).map((name) => [name, reason]));
}
