import { type Infer, listOf, natural, object, optional, text } from "../base/shape.ts";
import { checkBandwidth } from "../settings/bandwidth.ts";
import { checkDeviceRule } from "../settings/device-rule.ts";
import { fieldOf, isUnlimited, type ResourceName, type Resources } from "../settings/resources.ts";
import { checkRestart, parseRestart, type RestartPolicy } from "../settings/restart.ts";
import {
  type HostResources,
  hostResourceFields,
  hostResources,
  parseHostResources,
} from "./host-resources.ts";
import { given, read } from "./zero.ts";

/** The body of POST /containers/NAME/update: what is not said, or said with a zero value, stays as it is. */
export interface ContainerUpdate extends HostResources {
  RestartPolicy: { Name: string; MaximumRetryCount: number };
  /** Ours: bits per second, where 0 is no limit. */
  NetworkBandwidth?: { Up?: number; Down?: number };
  /** Ours: besides those that it has. */
  DeviceCgroupRules?: string[];
}

/** What is changed of a container; what is not there is not. */
export interface ContainerChange {
  restart?: RestartPolicy;
  resources?: Resources;
  bandwidth?: { bandwidthUp?: number; bandwidthDown?: number };
  deviceRules?: string[];
}

export function containerUpdate({
  restart,
  resources,
  bandwidth,
  deviceRules,
}: ContainerChange): ContainerUpdate {
  const { bandwidthUp, bandwidthDown } = bandwidth ?? {};
  return {
    ...hostResources(resources ?? {}),
    RestartPolicy: { Name: restart?.name ?? "", MaximumRetryCount: restart?.retries ?? 0 },
    ...(bandwidth && {
      NetworkBandwidth: {
        ...(bandwidthUp !== undefined && { Up: bandwidthUp }),
        ...(bandwidthDown !== undefined && { Down: bandwidthDown }),
      },
    }),
    ...(deviceRules && deviceRules.length > 0 && { DeviceCgroupRules: deviceRules }),
  };
}

const updateDocument = object({
  ...hostResourceFields,
  RestartPolicy: given(object({ Name: given(text, ""), MaximumRetryCount: given(natural, 0) }), {
    Name: "",
    MaximumRetryCount: 0,
  }),
  NetworkBandwidth: given(object({ Up: optional(natural), Down: optional(natural) }), {}),
  DeviceCgroupRules: given(listOf(text), []),
});

/**
 * @param document any JSON value
 * @throws RtError invalid-argument: it is none, or says what cannot be
 */
export function parseContainerUpdate(document: unknown): ContainerChange {
  // Before what is not said is filled in.
  const isWithoutPidsLimit = asksForNoPidsLimit(document);
  const update = read(updateDocument, document, "update");
  const resources = parseHostResources(update, { isChange: true, naming: nameOf });
  // Of a new container 0 is nothing said; of one that may have a limit it takes that away.
  if (isWithoutPidsLimit) resources.pidsLimit = -1;
  const restart = policyOf(update.RestartPolicy);
  const bandwidth = bandwidthOf(update.NetworkBandwidth);
  const deviceRules = update.DeviceCgroupRules.map((rule) => checkDeviceRule(rule, "DeviceCgroupRules"));
  return {
    ...(restart && { restart }),
    ...(!isUnlimited(resources) && { resources }),
    ...(Object.keys(bandwidth).length > 0 && { bandwidth }),
    ...(deviceRules.length > 0 && { deviceRules }),
  };
}

/** As the document has it, whose limits stand alone. */
function nameOf(name: ResourceName): string {
  return fieldOf(name).replace(/^HostConfig\./, "");
}

function asksForNoPidsLimit(document: unknown): boolean {
  return (document as { PidsLimit?: unknown } | null)?.PidsLimit === 0;
}

function policyOf({
  Name,
  MaximumRetryCount,
}: Infer<typeof updateDocument>["RestartPolicy"]): RestartPolicy | undefined {
  if (Name === "" && MaximumRetryCount === 0) return undefined;
  return checkRestart(
    { ...parseRestart(Name, "RestartPolicy"), retries: MaximumRetryCount },
    "RestartPolicy",
  );
}

function bandwidthOf({
  Up,
  Down,
}: Infer<typeof updateDocument>["NetworkBandwidth"]): NonNullable<ContainerChange["bandwidth"]> {
  return {
    ...(Up !== undefined && { bandwidthUp: checkBandwidth(Up, "NetworkBandwidth.Up") }),
    ...(Down !== undefined && { bandwidthDown: checkBandwidth(Down, "NetworkBandwidth.Down") }),
  };
}
