import { RtError } from "../../base/errors.ts";
import { eraseCredential } from "../../registry/credential-store.ts";
import { findCredential } from "../../registry/credentials.ts";
import { serverName } from "../../registry/server-name.ts";
import type { Host } from "../host.ts";
import { credentialPlace } from "./credentials.ts";

/** Forgets what a login has kept; that there is nothing is fine. */
export async function logout(host: Host, server: string | undefined): Promise<void> {
  const name = serverName(server);
  const place = credentialPlace(host);
  await eraseCredential(place, name);
  try {
    const { env, caller } = host;
    const { helperMs } = place;
    const left = await findCredential(name.domain, { env, caller, helperMs, warn: () => {} });
    if (left)
      host.warn(
        `there are still credentials for ${name.domain} in a file that rt only reads, as podman's auth.json`,
      );
  } catch (error) {
    if (!(error instanceof RtError)) throw error;
    host.warn(error.message);
  }
}
