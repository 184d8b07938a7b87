import { invalid, quote } from "../base/invalid.ts";

/** What `--log-opt tag=` may speak of. */
export interface TagFacts {
  id: string;
  name: string;
  /** The image as the user called it, and its id. */
  image: string;
  imageId: string;
}

const tagWord = /\{\{\s*\.(\w+)\s*\}\}/g;

const tagFields: Readonly<Record<string, (facts: TagFacts) => string>> = {
  ID: ({ id }) => id.slice(0, 12),
  FullID: ({ id }) => id,
  Name: ({ name }) => name,
  ImageID: ({ imageId }) => imageId.replace(/^sha256:/, "").slice(0, 12),
  ImageFullID: ({ imageId }) => imageId,
  ImageName: ({ image }) => image,
  ImageFullName: ({ image }) => image,
  DaemonName: () => "rt",
};

/** @throws RtError invalid-argument: it speaks of what there is not */
export function checkTag(template: string): void {
  const rest = template.replace(tagWord, (whole, field) => (Object.hasOwn(tagFields, field) ? "" : whole));
  if (!rest.includes("{{") && !rest.includes("}}")) return;
  const names = Object.keys(tagFields).map((field) => `{{.${field}}}`);
  throw invalid(`invalid --log-opt tag ${quote(template)}: want text and ${names.join(" ")}`);
}

/** Of a template that was checked. */
export function tagOf(template: string, facts: TagFacts): string {
  return template.replace(tagWord, (_, field) => tagFields[field]!(facts));
}

/** What `--log-opt labels, labels-regex, env, env-regex` take from a container, by name. */
export function extraAttributes(
  options: Readonly<Record<string, string>>,
  { labels, env }: { labels: Readonly<Record<string, string>>; env: readonly string[] },
): Map<string, string> {
  const variables = env.flatMap((text): [string, string][] => {
    const equals = text.indexOf("=");
    return equals > 0 ? [[text.slice(0, equals), text.slice(equals + 1)]] : [];
  });
  const found = new Map<string, string>();
  const take = (names: string | undefined, pattern: string | undefined, from: [string, string][]) => {
    const wanted = new Set(names ? names.split(",") : []);
    const matches = pattern ? new RegExp(pattern) : undefined;
    for (const [name, value] of from) if (wanted.has(name) || matches?.test(name)) found.set(name, value);
  };
  take(options.labels, options["labels-regex"], Object.entries(labels));
  take(options.env, options["env-regex"], variables);
  return found;
}
