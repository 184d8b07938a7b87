import { RtError } from "../base/errors.ts";
import type { Digest } from "../oci/digest.ts";
import { familiar, type Reference, repositoryOf } from "../reference/reference.ts";

/** What `rt rmi` was asked, and what is known of the image. */
export interface RemovalRequest {
  /** As the user wrote it. */
  text: string;
  /** The one name that was given; undefined when the image was given by ID. */
  named?: Reference;
  id: Digest;
  names: readonly Reference[];
  /** Containers of this image. */
  users: readonly { id: string; running: boolean }[];
  force: boolean;
}

export interface RemovalPlan {
  untag: Reference[];
  deleteImage: boolean;
}

const short = (id: string) => id.replace(/^sha256:/, "").slice(0, 12);

/**
 * Docker's rules (daemon/images/image_delete.go): a name is removed alone while others remain; the last name takes the
 * image with it; a stopped container holds the image unless forced; a running one holds it always.
 * @throws RtError conflict, in Docker's words
 */
export function planRemoval(request: RemovalRequest): RemovalPlan {
  return request.named ? planByName(request, request.named) : planById(request);
}

function planByName(request: RemovalRequest, named: Reference): RemovalPlan {
  const { names, users, force } = request;
  const user = users[0];
  if (!force && user && isOneName(names)) {
    throw conflict(
      `unable to remove repository reference "${request.text}" (must force) - container ${short(user.id)} is using its referenced image ${short(request.id)}`,
    );
  }
  const untag = [named];
  let rest = names.filter((name) => familiar(name) !== familiar(named));
  const repository = repositoryOf(named);
  const hasOtherTag = rest.some((name) => name.tag !== undefined && repositoryOf(name) === repository);
  if (named.digest === undefined && !hasOtherTag) {
    // Digests of a repository without tags are no names that anybody gave.
    untag.push(...rest.filter((name) => repositoryOf(name) === repository));
    rest = rest.filter((name) => repositoryOf(name) !== repository);
  }
  // A forced removal of a used image's last name leaves it nameless, for its containers.
  return { untag, deleteImage: rest.length === 0 && !users.some((other) => other.running) };
}

function planById(request: RemovalRequest): RemovalPlan {
  const { names, users, force, id } = request;
  const running = users.find((user) => user.running);
  if (running) {
    throw conflict(
      `unable to delete ${short(id)} (cannot be forced) - image is being used by running container ${short(running.id)}`,
    );
  }
  if (!force && names.length > 1 && !isOneName(names)) {
    throw conflict(
      `unable to delete ${short(id)} (must be forced) - image is referenced in multiple repositories`,
    );
  }
  const stopped = users[0];
  if (!force && stopped) {
    throw conflict(
      `unable to delete ${short(id)} (must be forced) - image is being used by stopped container ${short(stopped.id)}`,
    );
  }
  return { untag: [...names], deleteImage: true };
}

/** All in one repository, with at most one tag. */
function isOneName(names: readonly Reference[]): boolean {
  const repositories = new Set(names.map(repositoryOf));
  return repositories.size === 1 && names.filter((name) => name.tag !== undefined).length <= 1;
}

function conflict(text: string): RtError {
  return new RtError("conflict", `conflict: ${text}`);
}
