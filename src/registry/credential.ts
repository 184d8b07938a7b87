import type { CallerEnvironment } from "../base/environment.ts";

/** What a registry may be told. `identity` is an OAuth2 refresh token, `bearer` a token to be sent as it is. */
export type Credential =
  | { kind: "basic"; username: string; password: string }
  | { kind: "identity"; token: string }
  | { kind: "bearer"; token: string };

/** @param isRejected what was found before has been shown, and is good no more */
export type FindCredential = (isRejected: boolean) => Promise<Credential | undefined>;

/** What helpers have answered, by helper and server. */
export type HelperAnswers = Map<string, Promise<Credential | undefined>>;

export interface CredentialOptions {
  /** `--authfile`: must exist, and is the only file read, as $REGISTRY_AUTH_FILE is without it. */
  authFile?: string | undefined;
  /** Holds containers/$UID/auth.json; "/run" unless given. */
  runDirectory?: string;
  env?: Readonly<Record<string, string | undefined>>;
  /** The environment of helpers; `env` unless it is given. */
  caller?: CallerEnvironment;
  helperMs: number;
  /** Of this command: a helper may want a finger on a key each time. */
  helperAnswers?: HelperAnswers;
  /** One line about a helper that does not work; the pull goes on without it. */
  warn: (line: string) => void;
}
