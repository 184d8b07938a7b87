import {
  type Infer,
  listOf,
  mapOf,
  natural,
  object,
  oneOf,
  optional,
  type Shape,
  ShapeError,
  such,
  text,
} from "../base/shape.ts";
import { isCdiDevice, isCdiKind } from "./cdi-words.ts";

/** A specification of the CNCF's container device interface (CDI): devices of one kind, and what each changes of a container. */
export interface CdiSpecification {
  /** "vendor.com/class" */
  kind: string;
  /** Of a container that has any of its devices, once. */
  edits: CdiEdits;
  devices: CdiDevice[];
}

export interface CdiDevice {
  name: string;
  edits: CdiEdits;
}

const versions = /^0\.[1-8]\.0$|^1\.[01]\.0$/;

/** Fields that nobody knows are mistakes. */
function strict<F extends Readonly<Record<string, Shape<unknown>>>>(fields: F) {
  const shape = object(fields);
  return ((value: unknown, path: string) => {
    const result = shape(value, path);
    const unknown = Object.keys(result).find((key) => !Object.hasOwn(fields, key));
    if (unknown !== undefined) throw new ShapeError(`${path}.${unknown} is not a field of CDI`);
    return result;
  }) as typeof shape;
}

const absolute = such(
  (value): value is string => typeof value === "string" && /^\/[^\0]+$/.test(value),
  "an absolute path",
);
/** The kernel ends a text at a NUL. */
const word = such(
  (value): value is string => typeof value === "string" && !value.includes("\0"),
  "text without NUL",
);
const variable = such(
  (value): value is string => typeof value === "string" && /^[^=\0\n]+=[^\0]*$/.test(value),
  "NAME=VALUE",
);
/** "" says nothing: generators that know none write it. */
const permissions = such(
  (value): value is string => typeof value === "string" && /^[rwm]{0,3}$/.test(value),
  "some of r, w and m",
);
/** Of a device: 32 bits. */
const number32 = such(
  (value): value is number => Number.isInteger(value) && Number(value) >= 0 && Number(value) < 2 ** 32,
  "a number from 0 to 4294967295",
);
const anything: Shape<unknown> = (value) => value;

const edits = strict({
  env: optional(listOf(variable)),
  deviceNodes: optional(
    listOf(
      strict({
        path: absolute,
        /** Unsaid, `path`. */
        hostPath: optional(absolute),
        /** Unsaid, and where there are no numbers, that of the host's node. */
        type: optional(oneOf("b", "c", "u", "p")),
        major: optional(number32),
        minor: optional(number32),
        fileMode: optional(number32),
        permissions: optional(permissions),
        uid: optional(number32),
        gid: optional(number32),
      }),
    ),
  ),
  mounts: optional(
    listOf(
      strict({
        hostPath: word,
        containerPath: absolute,
        options: optional(listOf(word)),
        type: optional(word),
      }),
    ),
  ),
  hooks: optional(
    listOf(
      strict({
        hookName: oneOf(
          ...([
            "prestart",
            "createRuntime",
            "createContainer",
            "startContainer",
            "poststart",
            "poststop",
          ] as const),
        ),
        path: absolute,
        args: optional(listOf(word)),
        env: optional(listOf(variable)),
        timeout: optional(natural),
      }),
    ),
  ),
  additionalGids: optional(listOf(number32)),
  /** Known, and not done here. */
  intelRdt: optional(anything),
  netDevices: optional(anything),
});
export type CdiEdits = Infer<typeof edits>;
export type CdiDeviceNode = NonNullable<CdiEdits["deviceNodes"]>[number];

const specification = strict({
  cdiVersion: such(
    (value): value is string => typeof value === "string" && versions.test(value),
    "a version of CDI that is known here (0.1.0 to 1.1.0)",
  ),
  kind: such((value): value is string => typeof value === "string" && isCdiKind(value), "vendor.com/class"),
  annotations: optional(mapOf(text)),
  containerEdits: optional(edits),
  devices: listOf(
    strict({
      name: such(
        (value): value is string => typeof value === "string" && isCdiDevice(value),
        "the name of a device",
      ),
      annotations: optional(mapOf(text)),
      containerEdits: edits,
    }),
  ),
});

/** @param document of JSON or YAML; fields that are null are absent. @throws ShapeError names the field */
export function parseCdiSpecification(document: unknown): CdiSpecification {
  const { kind, containerEdits = {}, devices } = specification(withoutNulls(document), "specification");
  const names = devices.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new ShapeError(`specification.devices has ${JSON.stringify(twice)} twice`);
  return {
    kind,
    edits: containerEdits,
    devices: devices.map((device) => ({ name: device.name, edits: device.containerEdits })),
  };
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, each]) => each !== null);
  return Object.fromEntries(entries.map(([key, each]) => [key, withoutNulls(each)]));
}
