import { RtError } from "../../base/errors.ts";
import type { ApiCall } from "../call.ts";

/** POST /build */
export function postBuild(): never {
  const what =
    "there is no builder here: build the image elsewhere, and bring it with docker pull or docker load";
  throw new RtError("unsupported", what);
}

/** POST /build/prune: a builder that is not there has no cache. */
export function postBuildPrune(call: ApiCall): void {
  call.answer(200, { CachesDeleted: null, SpaceReclaimed: 0 });
}

/** POST /build/cancel: nothing is being built. */
export function postBuildCancel(call: ApiCall): void {
  call.answer(200);
}
