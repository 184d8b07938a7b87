import { join } from "node:path";
import { environmentOf } from "../base/environment.ts";
import { RtError } from "../base/errors.ts";
import type { Engine } from "../engine/engine.ts";
import type { Session } from "../engine/session.ts";
import { type EngineAddress, engineAddressText, parseEngineAddress } from "../remote/address.ts";
import { defaultContext, EngineContexts } from "../remote/contexts.ts";
import { dialer } from "../remote/dial.ts";
import { openRemote } from "../remote/remote.ts";
import { type ClientTls, clientTls, contextTls } from "../remote/tls.ts";
import { type EngineOptions, type EnginePlace, engineVariable } from "./engine-place.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The engine that flags, variables and contexts lead to, the first that says something:
 *
 *   -H ADDRESS; --context NAME; RT_HOST; RT_CONTEXT; and of an executable called "docker" DOCKER_HOST, DOCKER_CONTEXT and the
 *   current context of Docker's configuration
 *
 * @returns undefined: that of this process is meant
 * @throws RtError invalid-argument | not-found: what they name is none
 */
export async function engineElsewhere(session: Session, options: EngineOptions): Promise<Engine | undefined> {
  const { place = { asDocker: false }, env = process.env } = options;
  const chosen = chosenEngine(place, env);
  if (!chosen) return undefined;
  const local = (["root", "state", "storageDriver"] as const).find((name) => options[name] !== undefined);
  if (local !== undefined)
    throw new RtError(
      "invalid-argument",
      `${flagOf[local]} is of the engine here, and ${engineAddressText(chosen.address)} is another`,
    );
  const caller = options.caller ?? environmentOf(env);
  const dial = dialer(chosen.address, { ...chosen, env, caller, warn: (line) => session.warn(line) });
  // Logins are kept on this host, whichever engine they are for.
  const engine = async () => (await import("../engine/local.ts")).openLocal(session, { env, caller });
  return openRemote(session, { address: engineAddressText(chosen.address), dial, engine });
}

const flagOf = { root: "--root", state: "--state", storageDriver: "--storage-driver" };

interface ChosenEngine {
  address: EngineAddress;
  tls: ClientTls | undefined;
}

/** Docker's directory: its contexts, its certificates. */
export function dockerDirectory(env: Environment): string {
  return env.DOCKER_CONFIG || join(env.HOME || "/root", ".docker");
}

export function chosenEngine(place: EnginePlace, env: Environment): ChosenEngine | undefined {
  const { asDocker } = place;
  if (place.host !== undefined && place.context !== undefined)
    throw new RtError("invalid-argument", "conflicting options: cannot specify both --host and --context");
  const variable = (name: "HOST" | "CONTEXT") => engineVariable(env, asDocker, name);
  const host = place.host ?? (place.context === undefined ? variable("HOST") : undefined);
  if (host !== undefined) return byAddress(host, place, env);
  const contexts = new EngineContexts(dockerDirectory(env));
  const name = place.context ?? variable("CONTEXT") ?? (asDocker ? contexts.current() : undefined);
  if (name === undefined || name === defaultContext) return undefined;
  const { host: address, tlsDirectory, skipTlsVerify } = contexts.get(name);
  if (address === "")
    throw new RtError("invalid-argument", `context ${JSON.stringify(name)} names no engine of Docker's`);
  const tls = contextTls(tlsDirectory, !skipTlsVerify);
  return { address: parseEngineAddress(address, tls !== undefined), tls };
}

function byAddress(host: string, place: EnginePlace, env: Environment): ChosenEngine {
  const { asDocker } = place;
  const isVerifying = engineVariable(env, asDocker, "TLS_VERIFY") !== undefined;
  const directory = engineVariable(env, asDocker, "CERT_PATH") ?? dockerDirectory(env);
  const wishes = {
    tls: place.tls ?? false,
    tlsVerify: place.tlsVerify ?? isVerifying,
    ca: place.tlsCaCert,
    cert: place.tlsCert,
    key: place.tlsKey,
    directory,
  };
  const isSecure = wishes.tls || wishes.tlsVerify;
  const address = parseEngineAddress(host, isSecure);
  return { address, tls: address.kind === "tcp" ? clientTls(wishes) : undefined };
}
