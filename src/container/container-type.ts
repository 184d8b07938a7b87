import type { DeviceRecord, MountRecord } from "../spec/settings.ts";
import type { RecordType } from "../store/codec.ts";
import {
  digest,
  flag,
  integer,
  listOf,
  mapOf,
  natural,
  object,
  oneOf,
  optional,
  type Shape,
  text,
} from "../store/shape.ts";
import type { ContainerRecord } from "./record.ts";

/** How a ContainerRecord is told from a damaged one. */

const mount: Shape<MountRecord> = object<MountRecord>({
  type: oneOf("bind", "tmpfs", "volume"),
  source: text,
  name: optional(text),
  destination: text,
  readonly: flag,
  options: listOf(text),
});

const device: Shape<DeviceRecord> = object<DeviceRecord>({
  source: text,
  destination: text,
  permissions: text,
  type: oneOf("c", "b", "p"),
  major: natural,
  minor: natural,
  mode: natural,
  uid: natural,
  gid: natural,
});

export const containerType: RecordType<ContainerRecord> = {
  kind: "container",
  version: 1,
  remedy: "remove the container with rt rm -f and create it again",
  shape: object<ContainerRecord>({
    id: text,
    name: text,
    created: text,
    image: object<ContainerRecord["image"]>({ id: digest, reference: text }),
    args: listOf(text),
    entrypointLength: natural,
    chain: listOf(digest),
    driver: text,
    env: listOf(text),
    workingDirectory: text,
    user: text,
    groupAdd: listOf(text),
    hostname: text,
    labels: mapOf(text),
    annotations: mapOf(text),
    tty: flag,
    openStdin: flag,
    stopSignal: text,
    networkMode: oneOf("none", "host"),
    autoRemove: flag,
    privileged: flag,
    readonlyRootfs: flag,
    init: flag,
    noNewPrivileges: flag,
    seccomp: optional(oneOf("unconfined")),
    capAdd: listOf(text),
    capDrop: listOf(text),
    mounts: listOf(mount),
    devices: listOf(device),
    ulimits: listOf(object<ContainerRecord["ulimits"][number]>({ name: text, soft: integer, hard: integer })),
    sysctls: mapOf(text),
    shmSize: natural,
    dns: listOf(text),
    extraHosts: listOf(text),
    platform: text,
  }),
};
