import { visible } from "../../base/visible.ts";
import type { PullListener } from "../../engine/container/run-options.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { type LayerReporter, layerReporter } from "../output/layer-progress.ts";
import { runOptions } from "./run-options.ts";

export default class RunCommand extends RtCommand {
  static override usage: Usage = {
    category: "Containers",
    description: "Run a program in a new container of an image",
    details: `
      IMAGE is pulled when it is not here yet. What follows it is the container's: the program and its arguments, in
      place of the image's own.

      The default network is "none": the loopback interface is up, and nothing else is there. "host" is the host's own
      network. Bridge networks and published ports come in a later version, as do limits on memory and CPU, and -d.

      The exit status is the program's own; 125 when rt failed, 126 when the program cannot be executed, 127 when it is
      not found, 128+n when signal n ended it.
    `,
    examples: [
      ["A shell in a new container, removed at its end", "$0 run -it --rm alpine sh"],
      ["The image inside this executable: no network needed", "$0 run --rm embed:hello"],
      ["A pipe, exact to the byte", "cat big.tar | $0 run -i --rm busybox sha256sum"],
      [
        "A directory of the host, read-only, and an environment",
        "$0 run --rm -v /srv/data:/data:ro -e MODE=fast app",
      ],
    ],
  };
  static override later = {
    ...of("limits on resources come in a later version", [
      ...[
        "m",
        "memory",
        "memory-reservation",
        "memory-swap",
        "memory-swappiness",
        "kernel-memory",
        "c",
        "cpus",
      ],
      ...[
        "cpu-shares",
        "cpu-period",
        "cpu-quota",
        "cpu-rt-period",
        "cpu-rt-runtime",
        "cpuset-cpus",
        "cpuset-mems",
      ],
      ...["pids-limit", "blkio-weight", "blkio-weight-device", "device-read-bps", "device-write-bps"],
      ...[
        "device-read-iops",
        "device-write-iops",
        "oom-kill-disable",
        "oom-score-adj",
        "cgroup-parent",
        "cgroupns",
      ],
      ...["device-cgroup-rule", "storage-opt"],
    ]),
    ...of("bridge networks come in a later version; now there are none and host", [
      ...["p", "publish", "P", "publish-all", "expose", "ip", "ip6", "link", "link-local-ip", "mac-address"],
      ...["network-alias", "net-alias", "domainname", "dns-search", "dns-option", "dns-opt"],
    ]),
    ...of(
      "detached running comes in a later version; run in the foreground, and exec from another terminal",
      [...["d", "detach", "restart", "stop-timeout", "a", "attach", "log-driver", "log-opt"]],
    ),
    ...of("health checks come in a later version", [
      ...["health-cmd", "health-interval", "health-retries", "health-start-interval", "health-start-period"],
      ...["health-timeout", "no-healthcheck"],
    ]),
    ...of("sharing namespaces comes in a later version", ["pid", "ipc", "uts", "userns"]),
    ...of("it comes in a later version", ["volumes-from", "volume-driver", "gpus", "runtime", "isolation"]),
    "disable-content-trust": "signatures are not checked; digests always are",
  };

  addHosts = Option.Array("--add-host", [], { description: "`HOST:ADDRESS` Add a line to /etc/hosts" });
  annotations = Option.Array("--annotation", [], { description: "`KEY=VALUE` Add an annotation" });
  capAdd = Option.Array("--cap-add", [], { description: "`NAME` Add a Linux capability, or ALL" });
  capDrop = Option.Array("--cap-drop", [], { description: "`NAME` Drop a Linux capability, or ALL" });
  cidFile = Option.String("--cidfile", { description: "`FILE` Write the container's id to this file" });
  detachKeys = Option.String("--detach-keys", {
    description: "`KEYS` Keys that detach the terminal (default ctrl-p,ctrl-q)",
  });
  devices = Option.Array("--device", [], {
    description: "`DEVICE` Add a host device, as /dev/x[:/dev/y][:rwm]",
  });
  dns = Option.Array("--dns", [], { description: "`ADDRESS` Use this name server" });
  entrypoint = Option.String("--entrypoint", {
    description: "`PROGRAM` Run this in place of the image's entrypoint",
  });
  env = Option.Array("-e,--env", [], {
    description: "`KEY[=VALUE]` Set a variable; KEY alone passes on the caller's",
  });
  envFiles = Option.Array("--env-file", [], {
    description: "`FILE` Set variables from a file of KEY=VALUE lines",
  });
  groupAdd = Option.Array("--group-add", [], {
    description: "`GROUP` Add a supplementary group, name or number",
  });
  hostname = Option.String("-h,--hostname", {
    description: "`NAME` Host name of the container (default its short id)",
  });
  init = Option.Boolean("--init", false, {
    description: "Run a small init as PID 1 that reaps and forwards signals",
  });
  interactive = Option.Boolean("-i,--interactive", false, { description: "Keep stdin open" });
  labels = Option.Array("-l,--label", [], { description: "`KEY[=VALUE]` Add a label" });
  labelFiles = Option.Array("--label-file", [], {
    description: "`FILE` Add labels from a file of KEY=VALUE lines",
  });
  mounts = Option.Array("--mount", [], {
    description: "`SPEC` Mount, as type=bind|volume|tmpfs,src=…,dst=…[,ro]",
  });
  name = Option.String("--name", { description: "`NAME` Name of the container (default a random one)" });
  network = Option.String("--network,--net", "none", {
    description: "`NAME` none (loopback only, the default) or host",
  });
  platform = Option.String("--platform", { description: "`PLATFORM` Platform of the image, as linux/amd64" });
  privileged = Option.Boolean("--privileged", false, {
    description: "All capabilities and devices, nothing masked",
  });
  pull = Option.String("--pull", "missing", {
    description: "`WHEN` Pull the image: always, missing (default) or never",
  });
  quiet = Option.Boolean("-q,--quiet", false, { description: "No progress of a pull" });
  readOnly = Option.Boolean("--read-only", false, { description: "Mount the root file system read-only" });
  rm = Option.Boolean("--rm", false, { description: "Remove the container when it exits" });
  securityOptions = Option.Array("--security-opt", [], {
    description: "`OPTION` no-new-privileges, or seccomp=unconfined: no filter of system calls",
  });
  shmSize = Option.String("--shm-size", { description: "`SIZE` Size of /dev/shm (default 64m)" });
  sigProxy = Option.Boolean("--sig-proxy", true, {
    description: "Forward signals to the program (default true)",
  });
  stopSignal = Option.String("--stop-signal", {
    description: "`SIGNAL` Signal that asks the program to stop",
  });
  sysctls = Option.Array("--sysctl", [], {
    description: "`KEY=VALUE` Set a kernel parameter of the container",
  });
  tmpfs = Option.Array("--tmpfs", [], {
    description: "`PATH[:OPTIONS]` Mount a tmpfs; options as size=64m,mode=1777,ro",
  });
  tty = Option.Boolean("-t,--tty", false, { description: "Give the program a terminal" });
  ulimits = Option.Array("--ulimit", [], {
    description: "`NAME=SOFT[:HARD]` Set a limit, as nofile=1024:2048",
  });
  user = Option.String("-u,--user", { description: "`USER[:GROUP]` Run as this user, names or numbers" });
  volumes = Option.Array("-v,--volume", [], {
    description: "`[SRC:]DST[:ro]` Mount a host path or a volume",
  });
  workdir = Option.String("-w,--workdir", { description: "`DIRECTORY` Working directory" });

  image = Option.String({ name: "IMAGE" });
  command = Option.Proxy({ name: "COMMAND" });

  override async execute(): Promise<number> {
    const options = runOptions(this, this.context.caller);
    this.requireRoot();
    const [{ run }, host] = await Promise.all([import("../../engine/container/run.ts"), this.host()]);
    return await run(host, { ...options, onPull: this.quiet ? undefined : this.pullListener() });
  }

  /** Standard error: standard output is the program's. */
  protected pullListener(): PullListener {
    const { stderr } = this.context;
    let reporter: LayerReporter | undefined;
    return {
      missing: () => stderr.write(`Unable to find image '${visible(this.image)}' locally\n`),
      progress: (progress) => {
        reporter ??= layerReporter(stderr);
        reporter.layer(progress);
      },
      end: () => reporter?.end(),
    };
  }
}

function of(reason: string, flags: string[]): Record<string, string> {
  return Object.fromEntries(flags.map((flag) => [flag, reason]));
}
