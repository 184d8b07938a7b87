import { expect, test } from "bun:test";
import { planRemoval } from "../../../src/image/removal.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { familiar, parse } from "../../../src/reference/reference.ts";

const id = digestOf("image");
const short = id.slice(7, 19);
const stopped = { id: "a".repeat(64), running: false };
const running = { id: "b".repeat(64), running: true };
const target = digestOf("target");

interface Case {
  named?: string;
  names: string[];
  users?: { id: string; running: boolean }[];
  force?: boolean;
}

/** What goes: "-name …" for names, "image" for the image; or the error. */
function outcome({ named, names, users = [], force = false }: Case): string {
  const request = { text: named ?? short, id, names: names.map(parse), users, force };
  try {
    const plan = planRemoval(named ? { ...request, named: parse(named) } : request);
    return [...plan.untag.map((name) => `-${familiar(name)}`), ...(plan.deleteImage ? ["image"] : [])].join(
      " ",
    );
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const mustForce = (user: string) =>
  `conflict: unable to remove repository reference "x" (must force) - container ${user.slice(0, 12)} is using its referenced image ${short}`;
const unable = (why: string) => `conflict: unable to delete ${short} (${why}`;

// After daemon/images/image_delete.go of Docker.
test.each<[Case, string]>([
  [{ named: "x", names: ["x"] }, "-x:latest image"],
  [{ named: "x", names: ["x", "y"] }, "-x:latest"],
  [{ named: "x", names: ["x", `x@${target}`] }, `-x:latest -x@${target} image`],
  [{ named: "x", names: ["x", "x:1", `x@${target}`] }, "-x:latest"],
  [{ named: "x", names: ["x", `x@${target}`, "y", `y@${target}`] }, `-x:latest -x@${target}`],
  [{ named: `x@${target}`, names: ["x", `x@${target}`] }, `-x@${target}`],
  [{ named: `x@${target}`, names: [`x@${target}`] }, `-x@${target} image`],
  [{ named: `x@${target}`, names: [`x@${target}`, `x@${id}`] }, `-x@${target}`],
  [{ named: "x", names: ["x"], users: [stopped] }, mustForce(stopped.id)],
  [{ named: "x", names: ["x"], users: [running] }, mustForce(running.id)],
  [{ named: "x", names: ["x", "y"], users: [running] }, "-x:latest"],
  [{ named: "x", names: ["x"], users: [stopped], force: true }, "-x:latest image"],
  [{ named: "x", names: ["x"], users: [stopped, running], force: true }, "-x:latest"],
  [{ names: ["x"] }, "-x:latest image"],
  [{ names: [] }, "image"],
  [{ names: ["x", `x@${target}`] }, `-x:latest -x@${target} image`],
  [{ names: ["x", "x:1"] }, unable("must be forced) - image is referenced in multiple repositories")],
  [{ names: ["x", "y"], force: true }, "-x:latest -y:latest image"],
  [
    { names: ["x"], users: [stopped] },
    unable(`must be forced) - image is being used by stopped container ${stopped.id.slice(0, 12)}`),
  ],
  [{ names: ["x"], users: [stopped], force: true }, "-x:latest image"],
  [
    { names: ["x"], users: [stopped, running], force: true },
    unable(`cannot be forced) - image is being used by running container ${running.id.slice(0, 12)}`),
  ],
])("%j -> %s", (request, wanted) => {
  expect(outcome(request)).toBe(wanted);
});
