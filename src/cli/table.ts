import type { CommandClass } from "./command.ts";

/** A command: every path that means it, and its module, which is loaded when the command is called and not before. */
export interface Row {
  /** As its help names them. Docker's short spelling is first where there is one: "ps", then "container ls" and the like. */
  paths: readonly [string, ...string[]];
  /** The path in the list of its group's commands; without it that is the first one of the group's. */
  listed?: string;
  load: () => Promise<{ default: CommandClass }>;
  /** For rt itself: no help lists it. */
  hidden?: boolean;
}

/** In the order of `rt --help`. Nothing but this table knows what a command is called. */
const rows: readonly Row[] = [
  { paths: ["run", "container run"], load: () => import("./container/run.ts") },
  { paths: ["exec", "container exec"], load: () => import("./container/exec.ts") },
  { paths: ["attach", "container attach"], load: () => import("./container/attach.ts") },
  {
    paths: ["ps", "container ls", "container list", "container ps"],
    listed: "container list",
    load: () => import("./container/list.ts"),
  },
  { paths: ["logs", "container logs"], load: () => import("./container/logs.ts") },
  { paths: ["why", "container why"], load: () => import("./container/why.ts") },
  { paths: ["cp", "container cp"], load: () => import("./container/cp.ts") },
  { paths: ["diff", "container diff"], load: () => import("./container/diff.ts") },
  { paths: ["commit", "container commit"], load: () => import("./container/commit.ts") },
  { paths: ["export", "container export"], load: () => import("./container/export.ts") },
  { paths: ["kill", "container kill"], load: () => import("./container/kill.ts") },
  { paths: ["create", "container create"], load: () => import("./container/create.ts") },
  { paths: ["start", "container start"], load: () => import("./container/start.ts") },
  { paths: ["restart", "container restart"], load: () => import("./container/restart.ts") },
  { paths: ["stop", "container stop"], load: () => import("./container/stop.ts") },
  { paths: ["wait", "container wait"], load: () => import("./container/wait.ts") },
  { paths: ["pause", "container pause"], load: () => import("./container/pause.ts") },
  { paths: ["unpause", "container unpause"], load: () => import("./container/unpause.ts") },
  { paths: ["rename", "container rename"], load: () => import("./container/rename.ts") },
  { paths: ["update", "container update"], load: () => import("./container/update.ts") },
  { paths: ["top", "container top"], load: () => import("./container/top.ts") },
  { paths: ["stats", "container stats"], load: () => import("./container/stats.ts") },
  { paths: ["port", "container port"], load: () => import("./container/port.ts") },
  { paths: ["rm", "container rm", "container remove"], load: () => import("./container/remove.ts") },
  { paths: ["pull", "image pull"], load: () => import("./image/pull.ts") },
  { paths: ["push", "image push"], load: () => import("./image/push.ts") },
  { paths: ["save", "image save"], load: () => import("./image/save.ts") },
  { paths: ["load", "image load"], load: () => import("./image/load.ts") },
  { paths: ["import", "image import"], load: () => import("./image/import.ts") },
  { paths: ["tag", "image tag"], load: () => import("./image/tag.ts") },
  { paths: ["untag", "image untag"], load: () => import("./image/untag.ts") },
  { paths: ["history", "image history"], load: () => import("./image/history.ts") },
  {
    paths: ["images", "image ls", "image list"],
    listed: "image list",
    load: () => import("./image/list.ts"),
  },
  {
    paths: ["rmi", "image rm", "image remove"],
    listed: "image remove",
    load: () => import("./image/remove.ts"),
  },
  { paths: ["daemon", "system service"], load: () => import("./system/daemon.ts") },
  {
    paths: ["context ls", "context list"],
    listed: "context list",
    load: () => import("./context/list.ts"),
  },
  { paths: ["context show"], load: () => import("./context/show.ts") },
  { paths: ["context inspect"], load: () => import("./context/inspect.ts") },
  { paths: ["context create"], load: () => import("./context/create.ts") },
  { paths: ["context use"], load: () => import("./context/use.ts") },
  {
    paths: ["context rm", "context remove"],
    listed: "context remove",
    load: () => import("./context/remove.ts"),
  },
  { paths: ["registry serve"], load: () => import("./registry/serve.ts") },
  { paths: ["volume create"], load: () => import("./volume/create.ts") },
  { paths: ["volume ls", "volume list"], listed: "volume list", load: () => import("./volume/list.ts") },
  { paths: ["volume inspect"], load: () => import("./volume/inspect.ts") },
  {
    paths: ["volume rm", "volume remove"],
    listed: "volume remove",
    load: () => import("./volume/remove.ts"),
  },
  { paths: ["volume prune"], load: () => import("./volume/prune.ts") },
  { paths: ["network create"], load: () => import("./network/create.ts") },
  { paths: ["network ls", "network list"], listed: "network list", load: () => import("./network/list.ts") },
  { paths: ["network inspect"], load: () => import("./network/inspect.ts") },
  {
    paths: ["network rm", "network remove"],
    listed: "network remove",
    load: () => import("./network/remove.ts"),
  },
  { paths: ["network connect"], load: () => import("./network/connect.ts") },
  { paths: ["network disconnect"], load: () => import("./network/disconnect.ts") },
  { paths: ["network reload"], load: () => import("./network/reload.ts") },
  { paths: ["network prune"], load: () => import("./network/prune.ts") },
  { paths: ["login"], load: () => import("./registry/login.ts") },
  { paths: ["logout"], load: () => import("./registry/logout.ts") },
  { paths: ["search"], load: () => import("./registry/search.ts") },
  { paths: ["manifest inspect"], load: () => import("./manifest/inspect.ts") },
  { paths: ["manifest create"], load: () => import("./manifest/create.ts") },
  { paths: ["manifest annotate"], load: () => import("./manifest/annotate.ts") },
  { paths: ["manifest push"], load: () => import("./manifest/push.ts") },
  { paths: ["manifest rm"], load: () => import("./manifest/remove.ts") },
  { paths: ["pack", "image pack"], load: () => import("./image/pack.ts") },
  { paths: ["inspect"], load: () => import("./system/inspect.ts") },
  { paths: ["init"], load: () => import("./system/init.ts") },
  { paths: ["events", "system events"], load: () => import("./system/events.ts") },
  { paths: ["version"], load: () => import("./system/version.ts") },
  { paths: ["system up"], load: () => import("./system/up.ts") },
  { paths: ["system down"], load: () => import("./system/down.ts") },
  { paths: ["info", "system info"], load: () => import("./system/info.ts") },
  { paths: ["system seccomp"], load: () => import("./system/seccomp.ts") },
  { paths: ["system df"], load: () => import("./system/df.ts") },
  { paths: ["system check"], load: () => import("./system/check.ts") },
  { paths: ["system migrate"], load: () => import("./system/migrate.ts") },
  { paths: ["unshare"], load: () => import("./system/unshare.ts") },
  { paths: ["system prune"], load: () => import("./system/prune.ts") },
  { paths: ["image prune"], load: () => import("./image/prune.ts") },
  { paths: ["container prune"], load: () => import("./container/prune.ts") },
  { paths: ["container inspect"], load: () => import("./container/inspect.ts") },
  { paths: ["image cp"], load: () => import("./image/cp.ts") },
  { paths: ["image inspect"], load: () => import("./image/inspect.ts") },
  { paths: ["completion"], load: () => import("./system/completion.ts") },
  {
    paths: ["container restart-by-policy"],
    load: () => import("./container/restart-by-policy.ts"),
    hidden: true,
  },
  { paths: ["system jobs"], load: () => import("./system/jobs.ts") },
  { paths: ["system dial-stdio"], load: () => import("./system/dial-stdio.ts"), hidden: true },
  { paths: ["system receive"], load: () => import("./system/receive.ts"), hidden: true },
  { paths: ["system send"], load: () => import("./system/send.ts"), hidden: true },
  { paths: ["container conclude"], load: () => import("./container/conclude.ts"), hidden: true },
];

/** Every path and its command. */
export const commands: ReadonlyMap<string, Row> = new Map(
  rows.flatMap((row) => row.paths.map((path) => [path, row] as const)),
);

/**
 * What may follow `rt` (the group "") or the name of a group.
 * @returns words in the order in which help lists them: the table's, or a group's by alphabet
 */
export function wordsOf(group: string): string[] {
  const paths = [...commands].flatMap(([path, { hidden }]) => (hidden ? [] : [path]));
  if (group === "") return paths.filter((path) => !path.includes(" "));
  const prefix = `${group} `;
  return paths
    .filter((path) => path.startsWith(prefix))
    .map((path) => path.slice(prefix.length))
    .sort();
}

/** Paths that only hold other commands, with what they are about. */
export const groups: ReadonlyMap<string, string> = new Map([
  ["container", "Manage containers"],
  ["image", "Manage images"],
  ["manifest", "Manage lists of images for several platforms"],
  ["registry", "Serve images to others"],
  ["volume", "Manage volumes"],
  ["network", "Manage networks"],
  ["context", "Manage names of engines elsewhere"],
  ["system", "Manage rt"],
]);

/** Commands of Docker that rt will have one day. */
export const laterCommands: Readonly<Record<string, string>> = {
  build: "build images with another tool, and pull or load them",
  buildx: "build images with another tool, and pull or load them",
  compose: 'docker-compose works with DOCKER_HOST at the socket of "rt daemon"',
};
