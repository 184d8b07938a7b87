import { invalid } from "../base/invalid.ts";

/**
 * What older clients mean by the body of POST /containers/create, said as the newest would: what they cannot know of is not in it,
 * and where the default was another it is. Nothing is checked here; what is not of its type is left for whoever does.
 */
export function asOfVersion(
  document: unknown,
  isBefore: (version: string) => boolean,
): { document: unknown; warnings: string[] } {
  if (!isMap(document)) return { document, warnings: [] };
  const body = structuredClone(document);
  const host = mapIn(body, "HostConfig");
  const endpoints = mapIn(mapIn(body, "NetworkingConfig"), "EndpointsConfig");
  asLists(body);
  checkMounts(mountsOf(host), isBefore);
  if (isBefore("1.40") && isUnsaid(host.IpcMode)) host.IpcMode = "shareable";
  if (isBefore("1.43")) delete host.Annotations;
  if (isBefore("1.44")) {
    beforeSeveralNetworks(endpoints);
    delete mapIn(body, "Healthcheck").StartInterval;
    bindsStayWritableBelow(mountsOf(host));
  }
  if (isBefore("1.48")) for (const each of Object.values(endpoints)) if (isMap(each)) delete each.GwPriority;
  emptyBindings(mapIn(host, "PortBindings"));
  const warnings = placeMac(body, host, endpoints, isBefore);
  if (Object.keys(endpoints).length > 0)
    body.NetworkingConfig = { ...networkingOf(body), EndpointsConfig: endpoints };
  if (Object.keys(host).length > 0) body.HostConfig = host;
  return { document: body, warnings };
}

type Document = Record<string, unknown>;

function isMap(value: unknown): value is Document {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isUnsaid(value: unknown): boolean {
  return value === undefined || value === null || value === "";
}

/** The map there; where there is none, one that belongs to nobody. */
function mapIn(document: Document, name: string): Document {
  const value = document[name];
  return isMap(value) ? value : {};
}

function networkingOf(body: Document): Document {
  return mapIn(body, "NetworkingConfig");
}

/** One word may be said without a list around it. */
function asLists(body: Document): void {
  for (const name of ["Cmd", "Entrypoint", "Shell"]) {
    const value = body[name];
    if (typeof value === "string") body[name] = [value];
  }
}

function mountsOf(host: Document): Document[] {
  return Array.isArray(host.Mounts) ? host.Mounts.filter(isMap) : [];
}

const optionsOf: Readonly<Record<string, string>> = {
  BindOptions: "bind",
  VolumeOptions: "volume",
  TmpfsOptions: "tmpfs",
};

/** In Docker's words. @throws RtError invalid-argument */
function checkMounts(mounts: readonly Document[], isBefore: (version: string) => boolean): void {
  for (const mount of mounts) {
    const bind = mapIn(mount, "BindOptions");
    if (isBefore("1.40")) delete bind.NonRecursive;
    if (isBefore("1.42")) delete bind.CreateMountpoint;
    for (const [name, type] of Object.entries(optionsOf)) {
      if (isUnsaid(mount[name]) || mount.Type === type) continue;
      if (isBefore("1.42")) delete mount[name];
      else throw invalid(`${name} must not be specified on mount type ${JSON.stringify(mount.Type)}`);
    }
    if (isBefore("1.44") && bind.ReadOnlyForceRecursive === true)
      throw invalid("BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer");
    if (isBefore("1.45") && !isUnsaid(mapIn(mount, "VolumeOptions").Subpath))
      throw invalid("VolumeOptions.Subpath needs API v1.45 or newer");
    if (isBefore("1.48") && mount.Type === "image")
      throw invalid(`Mount type "Image" needs API v1.48 or newer`);
  }
}

/** @throws RtError invalid-argument */
function beforeSeveralNetworks(endpoints: Document): void {
  const names = Object.keys(endpoints);
  if (names.length > 1)
    throw invalid(`Container cannot be created with multiple network endpoints: ${names.join(", ")}`);
}

/** What was mounted below stayed as it was, then. */
function bindsStayWritableBelow(mounts: readonly Document[]): void {
  for (const mount of mounts) {
    if (mount.Type !== "bind" || mount.ReadOnly !== true) continue;
    mount.BindOptions = { ...mapIn(mount, "BindOptions"), ReadOnlyNonRecursive: true };
  }
}

/** A port without a binding is published where there is room. */
function emptyBindings(bindings: Document): void {
  for (const [port, list] of Object.entries(bindings))
    if (list === null || (Array.isArray(list) && list.length === 0)) bindings[port] = [{}];
}

/**
 * The address of the one network that there was belonged to the container. @returns warnings, in Docker's words
 * @throws RtError invalid-argument
 */
function placeMac(
  body: Document,
  host: Document,
  endpoints: Document,
  isBefore: (version: string) => boolean,
): string[] {
  const mac = body.MacAddress;
  delete body.MacAddress;
  if (isBefore("1.44")) for (const each of Object.values(endpoints)) if (isMap(each)) delete each.MacAddress;
  if (typeof mac !== "string" || mac === "") return [];
  const mode = isUnsaid(host.NetworkMode) ? "default" : String(host.NetworkMode);
  const isInNetwork = !/^(host|none|container:.*)$/.test(mode);
  if (isBefore("1.44") && !isInNetwork)
    throw invalid("conflicting options: mac-address and the network mode");
  if (isInNetwork) endpointFor(mode, endpoints, isBefore).MacAddress = mac;
  if (isBefore("1.44")) return [];
  return [
    "The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.",
  ];
}

/** @throws RtError invalid-argument: it is not said which is meant */
function endpointFor(mode: string, endpoints: Document, isBefore: (version: string) => boolean): Document {
  const names = Object.keys(endpoints);
  const usual = mode === "default" || mode === "bridge" ? ["default", "bridge"] : [mode];
  const name = names.find((each) => usual.includes(each)) ?? (isBefore("1.44") ? names[0] : undefined);
  if (name === undefined && names.length > 0)
    throw invalid("HostConfig.NetworkMode must match the identity of a network in NetworkSettings.Networks");
  const endpoint = { ...mapIn(endpoints, name ?? mode) };
  endpoints[name ?? mode] = endpoint;
  return endpoint;
}
