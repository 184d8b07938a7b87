import type { CommandClass } from "./command.ts";

type Loader = () => Promise<{ default: CommandClass }>;

const attach: Loader = () => import("./container/attach.ts");
const exec: Loader = () => import("./container/exec.ts");
const images: Loader = () => import("./image/list.ts");
const info: Loader = () => import("./system/info.ts");
const kill: Loader = () => import("./container/kill.ts");
const pack: Loader = () => import("./image/pack.ts");
const ps: Loader = () => import("./container/list.ts");
const pull: Loader = () => import("./image/pull.ts");
const rm: Loader = () => import("./container/remove.ts");
const rmi: Loader = () => import("./image/remove.ts");
const run: Loader = () => import("./container/run.ts");

/** Every command by its path; each is loaded only when it is called. A test holds the paths against each class's own. */
export const commands: ReadonlyMap<string, Loader> = new Map<string, Loader>([
  ["run", run],
  ["exec", exec],
  ["attach", attach],
  ["ps", ps],
  ["kill", kill],
  ["rm", rm],
  ["pull", pull],
  ["images", images],
  ["rmi", rmi],
  ["pack", pack],
  ["inspect", () => import("./system/inspect.ts")],
  ["init", () => import("./system/init.ts")],
  ["version", () => import("./system/version.ts")],
  ["info", info],
  ["container attach", attach],
  ["container exec", exec],
  ["container inspect", () => import("./container/inspect.ts")],
  ["container kill", kill],
  ["container list", ps],
  ["container ls", ps],
  ["container ps", ps],
  ["container rm", rm],
  ["container remove", rm],
  ["container run", run],
  ["image inspect", () => import("./image/inspect.ts")],
  ["image list", images],
  ["image ls", images],
  ["image pack", pack],
  ["image pull", pull],
  ["image remove", rmi],
  ["image rm", rmi],
  ["system info", info],
]);

/** Paths that only hold other commands, with what they are about. */
export const groups: ReadonlyMap<string, string> = new Map([
  ["container", "Manage containers"],
  ["image", "Manage images"],
  ["system", "Manage rt"],
]);

/** Commands of Docker that rt will have one day. */
export const laterCommands: Readonly<Record<string, string>> = {
  build: "rt runs images; build them with another tool and pull them",
  commit: "it comes with image building",
  compose: "it comes with networks",
  cp: "it comes in a later version",
  create: "it comes with detached running; use run",
  diff: "it comes in a later version",
  events: "it comes with the engine API",
  export: "it comes in a later version",
  history: "it comes in a later version",
  import: "it comes in a later version",
  load: "pull docker-archive:FILE or oci-archive:FILE instead",
  login: "rt reads the credentials that docker login or podman login wrote",
  logs: "it comes with detached running",
  network: "it comes with bridge networks",
  pause: "it comes with cgroup limits",
  port: "it comes with bridge networks",
  push: "it comes in a later version",
  restart: "it comes with detached running",
  save: "it comes in a later version",
  search: "it comes in a later version",
  start: "it comes with detached running; use run",
  stats: "it comes with cgroup limits",
  stop: "it comes with detached running; use kill",
  tag: "it comes in a later version",
  top: "it comes in a later version",
  unpause: "it comes with cgroup limits",
  volume: "it comes in a later version",
  wait: "it comes with detached running",
};
