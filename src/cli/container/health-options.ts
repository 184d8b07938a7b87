import { invalid, quote } from "../../base/invalid.ts";
import { parseDuration } from "../../docker/timestamp.ts";
import type { AskedSettings } from "../../settings/container-settings.ts";
import { checkHealthcheck, type HealthSettings, parseHealthAction } from "../../settings/health.ts";
import type { RtCommand } from "../command.ts";
import type { ContainerFlags } from "./container-flags.ts";

type Flags = Omit<ContainerFlags, keyof RtCommand>;

/**
 * What is said about health checks, by Docker's rules: each flag replaces one field of the image's.
 * @throws RtError invalid-argument
 */
export function healthOptions(flags: Flags): Partial<AskedSettings> {
  const healthcheck = healthcheckOf(flags);
  const healthOnFailure = parseHealthAction(flags.healthOnFailure || "none", flags.rm);
  return { ...(healthcheck && { healthcheck }), healthOnFailure };
}

function healthcheckOf(flags: Flags): HealthSettings | undefined {
  const asked = {
    test: flags.healthCmd ? ["CMD-SHELL", flags.healthCmd] : [],
    interval: durationOf(flags.healthInterval, "--health-interval"),
    timeout: durationOf(flags.healthTimeout, "--health-timeout"),
    startPeriod: durationOf(flags.healthStartPeriod, "--health-start-period"),
    startInterval: durationOf(flags.healthStartInterval, "--health-start-interval"),
    retries: retriesOf(flags.healthRetries),
  };
  const isAsked =
    asked.test.length > 0 || Object.values(asked).some((value) => value !== 0 && value !== asked.test);
  if (!flags.noHealthcheck) return isAsked ? checkHealthcheck(asked) : undefined;
  if (isAsked) throw invalid("--no-healthcheck conflicts with --health-* options");
  return { ...asked, test: ["NONE"] };
}

function durationOf(text: string | undefined, flag: string): number {
  if (text === undefined || text === "0") return 0;
  const length = parseDuration(text);
  if (length === undefined) throw invalid(`invalid ${flag} ${quote(text)}: want a duration, as 30s or 1m30s`);
  if (length < 0n) throw invalid(`${flag} cannot be negative`);
  if (length > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid(`invalid ${flag} ${quote(text)}: too long`);
  return Number(length);
}

function retriesOf(text: string | undefined): number {
  if (text === undefined) return 0;
  if (!/^-?\d{1,10}$/.test(text)) throw invalid(`invalid --health-retries ${quote(text)}: want a number`);
  if (text.startsWith("-")) throw invalid("--health-retries cannot be negative");
  return Number(text);
}
