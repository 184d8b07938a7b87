/**
 * Where rt answers otherwise than docker 28, and why: by the step and the place in its answer. One that is not there any more is
 * a failure of the test as one that is not named.
 */
const words = "a mistake in the words themselves is told in rt's own, with the same status";
const mistake =
  "a mistake in the words themselves ends with 125 in every command; docker has 1 where its daemon sees it";
const oneLine = "one line tells it; docker adds which command has failed";
const createFails = "what keeps a container from being made ends with 125, as with run";
const inner = "docker names the programs that it has run for that";
const places = "the store has other drivers, and its own places for layers";
const noNetworks = "there is no network that would have an id yet";

const all = { code: mistake, stderr: mistake };

/** Of the inspect documents of all containers. */
const inspected: Record<string, string> = {
  Driver: places,
  "GraphDriver.Name": places,
  "GraphDriver.Data.ID": places,
  "GraphDriver.Data.LowerDir": places,
  "GraphDriver.Data.MergedDir": places,
  "GraphDriver.Data.UpperDir": places,
  "HostConfig.Runtime": "native is its name",
  "HostConfig.Tmpfs": "docker leaves out what is empty",
  "HostConfig.Sysctls": "docker leaves out what is empty",
  "HostConfig.Init": "docker leaves out what nobody has set",
  "HostConfig.Annotations": "docker leaves out what is empty",
  "Config.Env":
    "HOSTNAME is in the record, where docker adds it at the start; what was asked for comes last, so that it wins",
  "Config.WorkingDir": "a container has one: / unless something else was said",
  "Config.StopSignal": "a container has one: TERM unless something else was said",
  "NetworkSettings.SandboxKey": noNetworks,
  "NetworkSettings.Networks.none.NetworkID": noNetworks,
  "NetworkSettings.Networks.none.EndpointID": noNetworks,
};

const unmade = "of one that has never run it is told where they will be";
const onDisk = "sizes are what the disk is short of, docker's what the files are long";
const daemon = "the recording daemon's own warning: it had no bridge";
const platform = "the platform is known of every image";

const typed = "a name is told as it was typed";
const links = "docker counts what symbolic links lead to as well";
const imported = "docker's image was imported, and rt's came from a layout";

const steps: Record<string, Record<string, string>> = {
  "ps -a --format '{{.Names}} {{.State}} {{.Image}} {{.Command}} {{.Ports}} {{.Labels}} {{.Mounts}} {{.Networks}} {{.LocalVolumes}} {{.Size}}'":
    { stdout: onDisk },
  "ps --format '{{json .}}' -f name=web": { "stdout.0.Platform": platform, "stdout.0.Size": onDisk },
  "ps -a --format json -f name=over": { "stdout.0.Platform": platform },
  "ps -a -f status=nonsense": all,
  "ps -a -f nonsense=1": all,
  "port web 80/nonsense": { stderr: words },
  "inspect made": {
    "stdout.0.0.HostConfig.OomKillDisable": "docker has the one before the start and the other after",
    "stdout.0.0.HostnamePath": unmade,
    "stdout.0.0.HostsPath": unmade,
    "stdout.0.0.LogPath": unmade,
    "stdout.0.0.ResolvConfPath": unmade,
  },
  "inspect -f '{{.Nonsense}}' web": { stdout: "nothing is printed of what cannot be" },
  "exec web nothing-there": { stderr: "it is an error, and told as one", stdout: inner },
  "rename over over": { stderr: oneLine },
  "rename over web": { stderr: oneLine },
  "rename nothing other": { stderr: oneLine },
  "rename over 'bad name'": { stderr: words },
  "update --restart always web": { stdout: daemon },
  "update --restart no web": { stdout: daemon },
  "update --restart nonsense web": all,
  "kill -s NONSENSE web": all,
  "stop -t nonsense web": { stderr: words },
  "start nothing": { stderr: oneLine },
  "start nothing web": { stderr: oneLine },
  "cp /nothing-there web:/tmp": {
    stderr: "the recording was made in /, which docker's client puts in front",
  },
  "create --name web {image} true": { code: createFails, stderr: createFails },
  "create --name 'bad name' {image} true": all,
  "create --restart nonsense {image} true": all,
  "run --rm --network none {image} nothing-there": { stderr: inner },
  "run --rm --network none {image} /etc": { stderr: inner },
  "run --rm --network none -w relative {image} true": { stderr: words },
  "run --rm --network none -v /a:b {image} true": { stderr: words },
  "run --rm --network none --nonsense {image} true": { stderr: words },
  run: all,
  rm: all,
  "container prune -f": { stdout: onDisk },
  "images --format '{{json .}}' localhost/*": { "stdout.0.VirtualSize": links },
  "tag nothing team/web": { stderr: typed },
  "tag {image} Bad": all,
  "tag {image} team/web@sha256:0000000000000000000000000000000000000000000000000000000000000000": {
    code: mistake,
  },
  "tag {image}": all,
  "images -q -f since=nothing": { stderr: typed },
  "images -f nonsense=1": all,
  "images -f dangling=perhaps": all,
  "image inspect {image}": {
    "stdout.0.0.Comment": imported,
    "stdout.0.0.DockerVersion": imported,
    "stdout.0.0.Size": links,
    "stdout.0.0.GraphDriver.Name": places,
    "stdout.0.0.Descriptor": "it is what docker has of its other store",
  },
  "image inspect nothing {image} -f '{{.Config.Cmd}}'": { stderr: typed },
  "image inspect -f '{{.Nonsense}}' {image}": { stdout: "nothing is printed of what cannot be" },
  "history -H=false {image} --format '{{.ID}} {{.CreatedAt}} {{.CreatedSince}} {{.Size}}'": {
    stdout: links,
  },
  "history nothing": { stderr: typed },
  history: all,
  "history team/child --format '{{.CreatedBy}}|{{.Comment}}|{{.Size}}|'": { stdout: imported },
  "rmi team/web:1 nothing": { stderr: typed },
  "image prune -f --filter nonsense=1": all,
  "image prune -f --filter until=nonsense": all,
  "image prune -a -f --filter label=a=b": {
    stdout: "documents are on the disk, too, and what they took is told",
  },
  "events --since 1h --until 0s -f type=image -f event=tag --format '{{.Type}} {{.Action}} {{.Actor.Attributes.name}}'":
    { stdout: imported },
  "images --tree -q": { code: mistake },
};

/** "step :: place" -> why */
const deviations = new Map<string, string>([
  ...Object.entries(steps).flatMap(([step, found]) =>
    Object.entries(found).map(([place, why]) => [`${step} :: ${place}`, why] as const),
  ),
]);

/** Of a difference; undefined where there is none. */
export function reasonOf(step: string, place: string): string | undefined {
  const field = /^inspect (?:web|over|made|held)$/.test(step) && /^stdout\.0\.0\.(.*)$/.exec(place)?.[1];
  return deviations.get(`${step} :: ${place}`) ?? (field ? inspected[field] : undefined);
}

/** Those that are in no answer any more. */
export function unused(found: ReadonlySet<string>): string[] {
  const fields = Object.keys(inspected).filter(
    (field) =>
      !["web", "over", "made", "held"].some((name) => found.has(`inspect ${name} :: stdout.0.0.${field}`)),
  );
  return [...[...deviations.keys()].filter((each) => !found.has(each)), ...fields];
}
