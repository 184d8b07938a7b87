import type { RuntimeSpec, SpecDevice, SpecDeviceRule, SpecMount } from "../oci/runtime-spec.ts";

/** What devices of CDI change of a container, found on this host; their hooks are told by themselves. */
export interface CdiChanges {
  /** "NAME=VALUE" */
  env: readonly string[];
  /** With what may be done: some of "rwm". */
  devices: readonly { device: SpecDevice; access: string }[];
  mounts: readonly SpecMount[];
  additionalGids: readonly number[];
}

/** CDI's SPEC.md, "OCI Edits": what is there by the same name, path or destination gives way. */
export function withCdi(spec: RuntimeSpec, changes: CdiChanges): RuntimeSpec {
  const { process: program, linux } = spec;
  const paths = new Set(changes.devices.map(({ device }) => device.path));
  const destinations = new Set(changes.mounts.map(({ destination }) => destination));
  const devices = new Map(changes.devices.map((each) => [each.device.path, each.device]));
  const mounts = new Map(changes.mounts.map((mount) => [mount.destination, mount]));
  const gids = new Set([...(program.user.additionalGids ?? []), ...changes.additionalGids]);
  return {
    ...spec,
    process: {
      ...program,
      user: { ...program.user, ...(gids.size > 0 && { additionalGids: [...gids] }) },
      env: merged(program.env, changes.env),
    },
    mounts: [
      ...spec.mounts.filter(({ destination }) => !destinations.has(destination)),
      ...mounts.values(),
    ].sort((a, b) => depth(a.destination) - depth(b.destination)),
    linux: {
      ...linux,
      devices: [...linux.devices.filter(({ path }) => !paths.has(path)), ...devices.values()],
      resources: {
        ...linux.resources,
        devices: [...linux.resources.devices, ...changes.devices.flatMap(ruleOf)],
      },
    },
  };
}

function ruleOf({ device, access }: CdiChanges["devices"][number]): SpecDeviceRule[] {
  const { type, major, minor } = device;
  return type === "p" ? [] : [{ allow: true, type, major, minor, access }];
}

function merged(before: readonly string[], more: readonly string[]): string[] {
  const names = new Set(more.map(nameOf));
  const last = new Map(more.map((text) => [nameOf(text), text]));
  return [...before.filter((text) => !names.has(nameOf(text))), ...last.values()];
}

function nameOf(variable: string): string {
  return variable.split("=", 1)[0]!;
}

function depth(path: string): number {
  return path.split("/").filter(Boolean).length;
}
