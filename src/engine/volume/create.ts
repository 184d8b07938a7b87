import { RtError } from "../../base/errors.ts";
import { newId } from "../../base/new-id.ts";
import type { VolumeDocument } from "../../docker/volume.ts";
import { localOptionsProblem } from "../../settings/local-volume.ts";
import { isVolumeName } from "../../settings/volume.ts";
import type { Host } from "../host.ts";
import { volumeEvent } from "../record-event.ts";
import { describeVolume } from "./describe.ts";

export interface CreateVolumeOptions {
  /** "": one of 64 digits. */
  name: string;
  /** "local", or "" for that. */
  driver: string;
  labels: Record<string, string>;
  /** The driver's. */
  options: Record<string, string>;
}

/** @throws RtError invalid-argument | not-found, in Docker's words where it has some */
export async function createVolume(host: Host, options: CreateVolumeOptions): Promise<VolumeDocument> {
  const { driver, labels } = options;
  const anonymous = options.name === "";
  const name = anonymous ? newId() : options.name;
  checkName(name);
  if (driver !== "local" && driver !== "") {
    const text = `error looking up volume plugin ${driver}: plugin "${driver}" not found`;
    throw refusal("not-found", name, text);
  }
  const problem = localOptionsProblem(options.options);
  if (problem !== undefined) throw refusal("invalid-argument", name, problem);
  const wanted = { name, anonymous, labels, options: options.options };
  const { volume, isNew } = (await host.volumes()).create(wanted);
  if (isNew) volumeEvent(host, "create", name);
  return describeVolume(host, volume);
}

function checkName(name: string): void {
  if (isVolumeName(name)) return;
  if (name.length === 1 && /[a-zA-Z0-9]/.test(name)) {
    throw refusal(
      "invalid-argument",
      name,
      "volume name is too short, names should be at least two alphanumeric characters",
    );
  }
  if (name.length > 255) throw refusal("invalid-argument", name, "the name is longer than 255 characters");
  const text = `${JSON.stringify(name)} includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`;
  throw refusal("invalid-argument", name, text);
}

function refusal(code: "invalid-argument" | "not-found", name: string, text: string): RtError {
  return new RtError(code, `create ${name}: ${text}`, { exitCode: 1 });
}
