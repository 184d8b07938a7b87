/**
 * Where uploads that broke off go on: a registry keeps what it has of one for hours, under a Location that only who began it
 * knows. One note for each blob and repository, private as its Location is (that may be signed), and held by one process.
 */
export interface CutUploads {
  /** @returns undefined where another process is at it: then this one uploads on its own, and leaves no note */
  claim(repository: string, digest: string): Promise<UploadNote | undefined>;
}

export interface UploadNote extends Disposable {
  /** What was written last, by whomever; undefined where nothing was, or where it is too old. */
  readonly location: string | undefined;
  write(location: string): void;
  /** The upload is over. */
  forget(): void;
}
