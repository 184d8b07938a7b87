import type { RtError } from "../../base/errors.ts";

/** For verbs that go on after one that fails. */
export interface EachContainer {
  /** Told of each container once it is done. @param error why it is not */
  onDone(name: string, error: RtError | undefined): void;
}
