import type { Healthcheck } from "../oci/image-config.ts";
import type { ContainerSettings } from "../settings/container-settings.ts";
import { healthcheckDocument } from "./health.ts";
import { exposedDocument } from "./port-bindings.ts";

/** `Config` of a container: what of it an image could say as well. */
export interface ContainerConfig {
  Hostname: string;
  Domainname: string;
  User: string;
  AttachStdin: boolean;
  AttachStdout: boolean;
  AttachStderr: boolean;
  ExposedPorts?: Record<string, Record<string, never>>;
  Tty: boolean;
  OpenStdin: boolean;
  StdinOnce: boolean;
  Env: string[];
  Cmd: string[];
  Image: string;
  Volumes: Record<string, Record<string, never>> | null;
  WorkingDir: string;
  Entrypoint: string[] | null;
  /** An image's affair, which no container has. */
  OnBuild: null;
  Labels: Record<string, string>;
  StopSignal: string;
  /** Seconds, where somebody said so. */
  StopTimeout?: number;
  Healthcheck?: Healthcheck;
  /** Podman's, where it is not "none". */
  HealthcheckOnFailureAction?: string;
  Shell?: string[];
}

/** The settings that Config has as they are. */
type Kept = Pick<
  ContainerSettings,
  | "hostname"
  | "domainname"
  | "attached"
  | "user"
  | "openStdin"
  | "tty"
  | "env"
  | "expose"
  | "publish"
  | "workingDirectory"
  | "labels"
  | "stopSignal"
  | "stopTimeout"
  | "healthcheck"
  | "healthOnFailure"
  | "shell"
>;

/** @param command the words, and which of them are the entrypoint's */
export function containerConfig(
  settings: Kept,
  image: string,
  { Cmd, Entrypoint, Volumes }: Pick<ContainerConfig, "Cmd" | "Entrypoint" | "Volumes">,
): ContainerConfig {
  return {
    Hostname: settings.hostname,
    Domainname: settings.domainname,
    User: settings.user,
    AttachStdin: settings.attached.includes("stdin"),
    AttachStdout: settings.attached.includes("stdout"),
    AttachStderr: settings.attached.includes("stderr"),
    ...exposedDocument(settings),
    Tty: settings.tty,
    OpenStdin: settings.openStdin,
    StdinOnce: settings.openStdin && settings.attached.includes("stdin"),
    Env: settings.env,
    Cmd,
    Image: image,
    Volumes,
    WorkingDir: settings.workingDirectory,
    Entrypoint,
    OnBuild: null,
    Labels: settings.labels,
    StopSignal: settings.stopSignal,
    ...(settings.stopTimeout !== undefined && { StopTimeout: settings.stopTimeout }),
    ...(settings.healthcheck && { Healthcheck: healthcheckDocument(settings.healthcheck) }),
    ...(settings.healthOnFailure !== "none" && { HealthcheckOnFailureAction: settings.healthOnFailure }),
    ...(settings.shell.length > 0 && { Shell: settings.shell }),
  };
}
