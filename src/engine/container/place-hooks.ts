import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Poststop, writePoststop } from "../../container/poststop.ts";
import type { ContainerRecord } from "../../container/record.ts";
import type { SpecHook, SpecHooks } from "../../oci/runtime-spec.ts";
import { runHook } from "../../runtime/native/hook.ts";
import type { HookRequest, HooksRequest } from "../../runtime/native/request.ts";
import type { Launched } from "../../runtime/runtime.ts";
import type { Host } from "../host.ts";

/** Of a hook that says nothing: nothing of ours is to wait without end. */
const timeoutUsual_s = 120;
const timeoutMax_ms = 2 ** 31 - 1;

/** The hooks of a container that is being built. */
export interface PlacedHooks {
  request: HooksRequest;
  /** `launched`, with its hooks of the host's namespaces run before the container's root is changed. */
  during(launched: Launched): Launched;
}

/** What has to be there for hooks before the container is built; and those that are due when it is over are written down. */
export function placeHooks(
  host: Host,
  record: ContainerRecord,
  directory: string,
  hooks: SpecHooks,
): PlacedHooks {
  const { id, annotations } = record;
  const state = { ociVersion: "1.2.0", id, bundle: directory, annotations };
  // The specification's place of the container's files.
  mkdirSync(join(directory, "rootfs"), { recursive: true, mode: 0o700 });
  const poststop = (hooks.poststop ?? []).map(hookRequest);
  if (poststop.length > 0) writePoststop(directory, poststopOf(state, poststop));
  const early = [
    ...(hooks.prestart ?? []).map((hook) => ({ stage: "prestart", hook: hookRequest(hook) })),
    ...(hooks.createRuntime ?? []).map((hook) => ({ stage: "createRuntime", hook: hookRequest(hook) })),
  ];
  return {
    request: {
      state: `${JSON.stringify(state).slice(0, -1)},"status":`,
      pauses: early.length > 0,
      createContainer: (hooks.createContainer ?? []).map(hookRequest),
      startContainer: (hooks.startContainer ?? []).map(hookRequest),
      poststart: (hooks.poststart ?? []).map(hookRequest),
    },
    during: (launched) => ({
      ...launched,
      ready: (abort) =>
        launched.ready(abort, async ({ pid }) => {
          const text = JSON.stringify({ ...state, status: "creating", pid });
          for (const { stage, hook } of early) await runHook(stage, hook, text, host.session.abort);
        }),
    }),
  };
}

function poststopOf(state: object, hooks: HookRequest[]): Poststop {
  return { state: JSON.stringify({ ...state, status: "stopped" }), hooks };
}

function hookRequest({ path, args = [], env = [], timeout = timeoutUsual_s }: SpecHook): HookRequest {
  return {
    path,
    args: args.length > 0 ? args : [path],
    env,
    timeout: Math.min(timeout * 1000, timeoutMax_ms),
  };
}
