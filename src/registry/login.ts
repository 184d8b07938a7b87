import { RtError } from "../base/errors.ts";
import type { Answer } from "./answer.ts";
import { Authorizer } from "./auth.ts";
import type { Credential } from "./credential.ts";
import { ownEndpoint, probe } from "./endpoint.ts";
import { limitsFor, type RegistryOptions } from "./options.ts";
import { type Request, send } from "./transport.ts";

/**
 * Shows a user name and a password, or an identity token, to a registry, or to the token server that it names: the dance of a pull, for a token that
 * is good for nothing. A registry that asks nobody for a password takes any, as docker has it. Nothing is redirected: who
 * answers with another address has not said that the password is right.
 *
 * @returns the identity token that the token server gives for it, if it does: to be kept in the place of the password
 * @throws unauthorized | unavailable | data-loss
 */
export async function tryLogin(
  domain: string,
  credential: Exclude<Credential, { kind: "bearer" }>,
  options: TryLoginOptions,
): Promise<string | undefined> {
  const { config, tlsVerify = true, signal } = options;
  const limits = { ...limitsFor(options), redirectsMax: 0 };
  const endpoint = ownEndpoint({ domain, path: "" }, config, tlsVerify);
  const ask = async (request: Request) => {
    const answer = await send(request, limits);
    if (answer.status < 300 || answer.status >= 400) return answer;
    answer.discard();
    throw new RtError("unavailable", `${request.url.host} redirects a login: not followed`);
  };
  const origin = await probe(endpoint, limits, signal);
  const base = { url: new URL("/v2/", origin), insecure: endpoint.insecure, signal };
  const first = await ask(base);
  first.discard();
  if (first.status === 200) return undefined;
  if (first.status !== 401) throw strange(domain, first);
  const challenge = first.headers.get("www-authenticate");
  if (challenge === null)
    throw new RtError("unavailable", `${domain} answers 401, and does not say how to log in`);
  const find = () => Promise.resolve(credential);
  const authorizer = new Authorizer(endpoint, "", find, limits, ask, { actions: "login" });
  const authorization = await authorizer.renew(undefined, challenge, origin, signal);
  if (authorizer.withheld)
    throw new RtError("unauthorized", `cannot log in to ${domain}: ${authorizer.withheld}`);
  const second = await ask({ ...base, authorization });
  second.discard();
  if (second.status === 401 || second.status === 403)
    throw new RtError("unauthorized", `${domain} refuses the login: wrong user name or password`);
  if (second.status !== 200) throw strange(domain, second);
  return authorizer.refreshToken;
}

export interface TryLoginOptions extends Pick<RegistryOptions, "config" | "tlsVerify" | "limits"> {
  signal?: AbortSignal;
}

function strange(domain: string, { status }: Answer): RtError {
  const why = status === 404 ? "it has no registry's /v2/" : `it answers ${status}`;
  return new RtError("unavailable", `cannot log in to ${domain}: ${why}`);
}
