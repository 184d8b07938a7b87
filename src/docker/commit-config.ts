import { flag, integer, listOf, mapOf, object, text } from "../base/shape.ts";
import type { ContainerDefaults } from "../oci/image-config.ts";
import { given, isZero, read } from "./zero.ts";

const word = given(text, "");
const words = given(listOf(text), []);
const keys = given(
  mapOf((value: unknown) => (value ?? {}) as Record<string, never>),
  {},
);
const length = given(integer, 0);
const check = object({
  Test: words,
  Interval: length,
  Timeout: length,
  StartPeriod: length,
  StartInterval: length,
  Retries: length,
});
const config = object({
  User: word,
  ExposedPorts: keys,
  Env: words,
  Cmd: words,
  Entrypoint: words,
  Volumes: keys,
  WorkingDir: word,
  Labels: given(mapOf(text), {}),
  StopSignal: word,
  Healthcheck: given(check, check({}, "")),
  Shell: words,
  OnBuild: words,
  ArgsEscaped: given(flag, false),
});

/**
 * The body of POST /commit, a container's `Config`: what of it an image can say. What is zero is not said.
 * @returns undefined where nothing is
 * @throws RtError invalid-argument
 */
export function parseCommitConfig(document: unknown): ContainerDefaults | undefined {
  if (document === undefined || document === null) return undefined;
  const asked = read(config, document, "config");
  const { Healthcheck, ...rest } = asked;
  const known = new Set(Object.keys(config({}, "")));
  const said = (value: object) => Object.entries(value).filter(([, each]) => !isZero(each));
  const found: ContainerDefaults = Object.fromEntries(said(rest).filter(([key]) => known.has(key)));
  const health = Object.fromEntries(said(Healthcheck));
  if (Object.keys(health).length > 0) found.Healthcheck = health;
  return Object.keys(found).length === 0 ? undefined : found;
}
