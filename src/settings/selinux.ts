import type { RtError } from "../base/errors.ts";
import { quote } from "../base/invalid.ts";

/** `--security-opt label=`: the parts of a context, USER:ROLE:TYPE[:LEVEL], or that there is to be none. */
const parts = ["user", "role", "type", "level", "filetype"] as const;
type Part = (typeof parts)[number];

const wanted = "want disable, or user:, role:, type:, level: or filetype: with a value";

/** @returns the option as it is kept @throws RtError invalid-argument */
export function parseLabelOption(text: string, complain: (why: string) => RtError): string {
  if (text === "disable") return text;
  if (text === "nested") throw complain("rt has no SELinux within a container");
  const [, part = "", value = ""] = /^([a-z]+):(.+)$/s.exec(text) ?? [];
  if (!parts.includes(part as Part) || value === "") throw complain(wanted);
  // A level alone has colons and commas: "s0:c1,c2".
  const isFine = part === "level" ? /^[\w.:,-]+$/ : /^[\w.-]+$/;
  if (!isFine.test(value))
    throw complain(`${quote(value)} is no ${part === "filetype" ? "type" : part} of SELinux`);
  return text;
}

export interface SelinuxLabels {
  process: string;
  file: string;
}

/**
 * The contexts of a container's programs and files: what the policy has, with a level of the container's own (`categories`), and the parts
 * that are asked for. Undefined: it has none of its own.
 */
export function selinuxLabels(
  options: readonly string[],
  policy: SelinuxLabels,
  categories: string,
): SelinuxLabels | undefined {
  if (options.includes("disable")) return undefined;
  const process = withLevel(policy.process, `s0:${categories}`);
  const file = withLevel(policy.file, `s0:${categories}`);
  for (const option of options) {
    const [part, value] = [option.slice(0, option.indexOf(":")), option.slice(option.indexOf(":") + 1)];
    if (part === "filetype") file[2] = value;
    else process[places[part as keyof typeof places]] = value;
    // As docker: whose files they are, and for whom.
    if (part === "level" || part === "user") file[places[part]] = value;
  }
  return { process: process.join(":"), file: file.join(":") };
}

const places = { user: 0, role: 1, type: 2, level: 3 } as const;

/** A policy without levels (MCS) has three parts. */
function withLevel(context: string, level: string): string[] {
  const [user = "", role = "", type = "", ...rest] = context.split(":");
  return rest.length === 0 ? [user, role, type] : [user, role, type, level];
}

/** Two of 1024, from a container's id: who has others cannot reach its files. 523,776 pairs. */
export function categoriesOf(id: string): string {
  const first = Number.parseInt(id.slice(0, 8), 16) % 1024;
  const second = (first + 1 + (Number.parseInt(id.slice(8, 16), 16) % 1023)) % 1024;
  return first < second ? `c${first},c${second}` : `c${second},c${first}`;
}
