import { checkDiskUsageTypes, diskUsageAnswer } from "../../docker/disk-usage.ts";
import { eventJson } from "../../docker/event.ts";
import { infoAnswer } from "../../docker/info.ts";
import { parseAuth } from "../../docker/registry-auth.ts";
import { versionAnswer } from "../../docker/version.ts";
import type { ApiCall } from "../call.ts";
import { usualFields } from "../fields.ts";

/** GET and HEAD /_ping */
export function getPing(call: ApiCall): void {
  const fields = [
    ["Content-Type", "text/plain; charset=utf-8"],
    ["Cache-Control", "no-cache, no-store, must-revalidate"],
    ["Pragma", "no-cache"],
    // The classic builder, until there is another.
    ["Builder-Version", "1"],
    ["Swarm", "inactive"],
  ] as const;
  call.exchange.answer(200, [...usualFields(), ...fields], "OK");
}

/** GET /version */
export async function getVersion(call: ApiCall): Promise<void> {
  call.answer(200, versionAnswer(await call.engine.system.version()));
}

/** GET /info */
export async function getInfo(call: ApiCall): Promise<void> {
  call.answer(
    200,
    infoAnswer(await call.engine.system.info(), (version) => call.since(version)),
  );
}

/** GET /system/df */
export async function getDiskUsage(call: ApiCall): Promise<void> {
  const types = call.since("1.42") ? call.query.texts("type") : [];
  checkDiskUsageTypes(types);
  call.answer(200, diskUsageAnswer(await call.engine.system.diskUsage(), types));
}

/** GET /events */
export async function getEvents(call: ApiCall): Promise<void> {
  const { query } = call;
  const until = query.text("until");
  // Who only says when to end wants what has been, too.
  const since = query.text("since") || (until === "" ? "" : "0");
  const events = await call.engine.system.events({
    ...(since !== "" && { since }),
    ...(until !== "" && { until }),
    filters: query.filters(),
  });
  const from = events[Symbol.asyncIterator]();
  // Asked for before the client knows that it listens: what it does from then on it is told of.
  let next = from.next();
  next.catch(() => undefined);
  const body = call.stream("application/json");
  try {
    for (let event = await next; !event.done; event = await next) {
      await body.write(Buffer.from(`${eventJson(event.value)}\n`));
      next = from.next();
    }
  } finally {
    await from.return?.();
  }
  body.end();
}

/** POST /auth: whether the registry takes it. Nothing is kept; that is the client's. */
export async function postAuth(call: ApiCall): Promise<void> {
  const { server, credentials } = parseAuth(await call.json());
  const { identityToken = "" } = await call.engine.registry.login({
    ...(server !== "" && { server }),
    credentials,
  });
  call.answer(200, { Status: "Login Succeeded", IdentityToken: identityToken });
}
