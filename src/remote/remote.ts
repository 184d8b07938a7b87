import type { Engine } from "../engine/engine.ts";
import type { Session } from "../engine/session.ts";
import { Api, type ApiOptions } from "./api.ts";
import type { OwnHost, RemoteCaller } from "./caller.ts";
import { containerVerbs } from "./container.ts";
import { execVerbs } from "./exec.ts";
import { imageVerbs } from "./image.ts";
import { manifestVerbs } from "./manifest.ts";
import { networkVerbs } from "./network.ts";
import { registryVerbs } from "./registry.ts";
import { systemVerbs } from "./system.ts";
import { volumeVerbs } from "./volume.ts";

export interface RemoteOptions extends ApiOptions, OwnHost {}

/**
 * The engine behind an API, rt's or Docker's: the same interface as of the one in this process. Nothing is asked of it before a
 * verb is; requests of all callers share its connections.
 *
 *   using engine = openRemote(session, { dial: () => connectDuplex({ unix: path }), address: `unix://${path}` })
 *
 * What only the engine's own host can do fails with `unsupported`. Paths of files are the caller's; those in names of images
 * ("oci:DIR") are the engine's.
 */
export function openRemote(session: Session, { engine, ...options }: RemoteOptions): Engine {
  return engineFor({ api: new Api(options), session, own: { engine } });
}

function engineFor(caller: RemoteCaller): Engine {
  return {
    container: containerVerbs(caller),
    exec: execVerbs(caller),
    image: imageVerbs(caller),
    volume: volumeVerbs(caller),
    network: networkVerbs(caller),
    registry: registryVerbs(caller),
    manifest: manifestVerbs(),
    system: systemVerbs(caller),
    as: (session) => engineFor({ ...caller, session }),
    [Symbol.dispose]: () => caller.api[Symbol.dispose](),
  };
}
