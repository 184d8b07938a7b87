import { RtError } from "../base/errors.ts";
import { type Shape, ShapeError } from "../base/shape.ts";
import type { Engine } from "../engine/engine.ts";
import type { Session } from "../engine/session.ts";
import { type Api, type ApiRequest, pathOf } from "./api.ts";

/** What belongs to the caller's own host, whichever engine he talks to: logins are kept there. */
export interface OwnHost {
  engine?: (() => Promise<Pick<Engine, "registry">>) | undefined;
}

/** The engine behind an API, for one caller: what each verb works with. */
export interface RemoteCaller {
  readonly api: Api;
  readonly session: Session;
  readonly own: OwnHost;
}

/** A request for one document, believed once it has its shape. @throws RtError what the engine says; data-loss: it is another */
export async function documentOf<T>(
  { api }: RemoteCaller,
  shape: Shape<T>,
  request: ApiRequest,
  what: string,
): Promise<T> {
  return answered(shape, await api.json(request), what);
}

/** A request whose answer says no more than that it was done. @returns the status */
export function tell({ api }: RemoteCaller, request: ApiRequest): Promise<number> {
  return api.done(request);
}

/** @throws RtError data-loss: it names the field */
export function answered<T>(shape: Shape<T>, document: unknown, what: string): T {
  try {
    return shape(document, what);
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    throw new RtError("data-loss", `the engine's answer is not as it should be: ${error.message}`, {
      cause: error,
    });
  }
}

export function containerPath(name: string, verb = ""): string {
  return `${pathOf`/containers/${name}`}${verb}`;
}
