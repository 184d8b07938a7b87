import { RtError } from "../../base/errors.ts";
import { ProtocolError } from "../../distribution/protocol-error.ts";
import { defaultDomain, parse, repositoryOf } from "../../reference/reference.ts";

/**
 * A repository's path in the protocol, and what it is called here:
 *
 *   library/alpine, alpine    docker.io/library/alpine      where `home` is docker.io; a mirror of another registry is at home there
 *   ghcr.io/a/b               ghcr.io/a/b
 *
 * @param home the domain of a path that names none
 * @throws ProtocolError NAME_INVALID
 */
export function repositoryCalled(path: string, home: string): string {
  const isHome = home === defaultDomain || hasDomain(path);
  try {
    // A tag behind it, so that it has none of its own.
    return repositoryOf(parse(`${isHome ? path : `${home}/${path}`}:x`));
  } catch (error) {
    if (!(error instanceof RtError)) throw error;
    throw new ProtocolError("NAME_INVALID", error.message, { cause: error });
  }
}

/** The path that leads to it; the shorter one. */
export function pathOfRepository(repository: string, home: string): string {
  const short = repository.startsWith(`${home}/`) ? repository.slice(home.length + 1) : repository;
  if (short === repository) return repository;
  try {
    return repositoryCalled(short, home) === repository ? short : repository;
  } catch (error) {
    if (error instanceof ProtocolError) return repository;
    throw error;
  }
}

function hasDomain(path: string): boolean {
  const slash = path.indexOf("/");
  const first = path.slice(0, Math.max(slash, 0));
  return /[.:A-Z[]/.test(first) || first === "localhost";
}
