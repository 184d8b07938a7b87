import { invalid, quote } from "../base/invalid.ts";
import { type Infer, natural, object, oneOf } from "../base/shape.ts";

const restartNames = ["no", "on-failure", "always", "unless-stopped"] as const;

/** Whether a program is started again when it has ended; `retries` is on-failure's alone, 0 for no limit. */
export const restartPolicy = object({ name: oneOf(...restartNames), retries: natural });
export type RestartPolicy = Infer<typeof restartPolicy>;

const retriesMax = 2 ** 31 - 1;

/** "on-failure:3". @throws RtError invalid-argument */
export function parseRestart(text: string, what = "--restart"): RestartPolicy {
  const [name, retries, ...more] = text.split(":");
  const known = restartNames.find((each) => each === (name || "no"));
  if (known === undefined || more.length > 0)
    throw invalid(`invalid ${what} ${quote(text)}: want no, on-failure[:N], always or unless-stopped`);
  return checkRestart({ name: known, retries: retries === undefined ? 0 : numberOf(retries, what) }, what);
}

/** @returns `policy` @throws RtError invalid-argument */
export function checkRestart(policy: RestartPolicy, what: string): RestartPolicy {
  if (policy.retries > retriesMax)
    throw invalid(`invalid ${what}: maximum retry count must be at most ${retriesMax}`);
  if (policy.retries > 0 && policy.name !== "on-failure")
    throw invalid(`invalid ${what}: maximum retry count can only be used with 'on-failure'`);
  return policy;
}

function numberOf(text: string, what: string): number {
  if (/^\d{1,10}$/.test(text)) return Number(text);
  throw invalid(`invalid ${what}: maximum retry count must be an integer, got ${quote(text)}`);
}
