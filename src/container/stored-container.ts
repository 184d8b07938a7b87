import { RtError } from "../base/errors.ts";
import type { Digest } from "../oci/digest.ts";
import { checkedBody, decodeRecord } from "../store/codec.ts";
import { decodeCircumstances } from "./circumstances.ts";
import { DecodedRecords } from "./decoded-records.ts";
import { type ContainerRecord, containerType } from "./record.ts";
import type { ExitFacts } from "./state.ts";

/**
 * A container as the store has it. What stands in columns is there whatever has happened to the record, so that one which
 * is damaged can be listed, killed and removed like any other.
 */
export interface Container {
  readonly id: string;
  readonly name: string;
  /** RFC 3339. */
  readonly created: string;
  readonly imageId: Digest;
  /** The image as the user called it, and the words of the command: "" of a damaged one when they are unknown. */
  readonly reference: string;
  readonly command: string;
  readonly autoRemove: boolean;
  /** Once somebody has seen the exit and written it down. */
  readonly exit: ExitFacts | undefined;
  /** Of one that has never run: why the last attempt to start it came to nothing. Of others `exit` says so. */
  readonly failure: StartFailure | undefined;
  /** Its end is on record, or it was never started: unless it has a state directory, nothing of it is to be looked for. */
  readonly isSettled: boolean;
  /** Somebody has begun to remove it: it is not to be started any more. */
  readonly removal: ContainerRemoval | undefined;
  /** Somebody wanted it to stay down, and nobody has started it since. */
  readonly isStopped: boolean;
  /** Why the record is not to be believed, as far as header and checksum tell. */
  readonly damage: RtError | undefined;
  /** All of it, decoded when it is first asked for. @throws RtError data-loss | unsupported */
  readonly record: ContainerRecord;
}

export interface StartFailure {
  exitCode: number;
  error: string;
}

export interface ContainerRemoval {
  /** With the volumes that nobody named. */
  volumes: boolean;
}

/** The columns of a row. */
export interface ContainerRow {
  id: string;
  name: string;
  image: string;
  created: string;
  reference: string | null;
  command: string | null;
  auto_remove: number;
  record: Uint8Array;
  exit_code: number | null;
  started_at: string | null;
  finished_at: string | null;
  error: string | null;
  circumstances: string | null;
  removal: number | null;
  stopped: number;
}

export const containerColumns = [
  ...["id", "name", "image", "created", "reference", "command", "auto_remove", "record"],
  ...["exit_code", "started_at", "finished_at", "error", "circumstances", "removal", "stopped"],
].join(", ");

/** 64 hex digits: what may be the name of a directory. */
export function isContainerId(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

export class StoredContainer implements Container {
  readonly #row: ContainerRow;
  readonly #copyOf: (id: string) => Uint8Array | undefined;
  readonly #decoded: DecodedRecords;
  #record: ContainerRecord | undefined;
  #damage: RtError | null | undefined;

  constructor(
    row: ContainerRow,
    copyOf: (id: string) => Uint8Array | undefined,
    decoded = new DecodedRecords(),
  ) {
    this.#row = row;
    this.#copyOf = copyOf;
    this.#decoded = decoded;
  }

  get id(): string {
    return this.#row.id;
  }

  get name(): string {
    return this.#row.name;
  }

  get created(): string {
    return this.#row.created;
  }

  get imageId(): Digest {
    return this.#row.image as Digest;
  }

  get reference(): string {
    return this.#row.reference ?? "";
  }

  get command(): string {
    return this.#row.command ?? "";
  }

  get autoRemove(): boolean {
    return this.#row.auto_remove === 1;
  }

  get exit(): ExitFacts | undefined {
    const { exit_code, started_at, finished_at, error } = this.#row;
    if (exit_code === null || finished_at === null) return undefined;
    const circumstances = decodeCircumstances(this.#row.circumstances);
    return {
      exitCode: exit_code,
      startedAt: started_at ?? "",
      finishedAt: finished_at ?? "",
      error: error ?? "",
      ...(circumstances && { circumstances }),
    };
  }

  get isSettled(): boolean {
    return this.#row.exit_code !== null;
  }

  get removal(): ContainerRemoval | undefined {
    const { removal } = this.#row;
    return removal === null ? undefined : { volumes: removal === 2 };
  }

  get isStopped(): boolean {
    return this.#row.stopped === 1;
  }

  get failure(): StartFailure | undefined {
    const { exit_code, finished_at, error } = this.#row;
    const isOne = exit_code !== null && finished_at === null && error !== null;
    return isOne ? { exitCode: exit_code, error } : undefined;
  }

  get damage(): RtError | undefined {
    if (this.#damage === undefined) this.#damage = this.#check() ?? null;
    return this.#damage ?? undefined;
  }

  #check(): RtError | undefined {
    if (!isContainerId(this.id)) {
      const text = `the id of container ${this.name} is damaged: remove the container with rt rm -f`;
      return new RtError("data-loss", text);
    }
    try {
      checkedBody(containerType, this.#row.record, this.name);
      return undefined;
    } catch (error) {
      if (error instanceof RtError) return error;
      throw error;
    }
  }

  get record(): ContainerRecord {
    this.#record ??= this.#decode();
    return this.#record;
  }

  #decode(): ContainerRecord {
    try {
      const { record } = this.#row;
      return this.#decoded.get(this.id, record, () => decodeRecord(containerType, record, this.name));
    } catch (error) {
      const isDamaged = error instanceof RtError && error.code === "data-loss" && isContainerId(this.id);
      const copy = isDamaged ? this.#copyOf(this.id) : undefined;
      const record = copy && recordOfBytes(copy, this.id);
      if (!record) throw error;
      return record;
    }
  }
}

/** The record of container `id` in these bytes, if it is that. */
export function recordOfBytes(bytes: Uint8Array, id: string): ContainerRecord | undefined {
  try {
    const record = decodeRecord(containerType, bytes, id);
    return record.id === id ? record : undefined;
  } catch (error) {
    if (error instanceof RtError) return undefined;
    throw error;
  }
}

/** The record of a container where it can be read. */
export function recordOf(container: Container): ContainerRecord | undefined {
  try {
    return container.record;
  } catch (error) {
    if (error instanceof RtError) return undefined;
    throw error;
  }
}
