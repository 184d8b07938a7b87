import { readFileSync } from "node:fs";
import { withCause } from "../../base/errors.ts";
import { invalid } from "../../base/invalid.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { parseCsv } from "../parse/csv.ts";
import { contextsOf } from "./context-flags.ts";

export default class ContextCreateCommand extends RtCommand {
  static override usage: Usage = {
    category: "Contexts",
    description: "Give an engine a name",
    details: `
      --docker is a list of KEY=VALUE with commas between: host, and for tcp ca, cert, key (files, which are copied) and
      skip-tls-verify. Docker's own command line knows the context too.
    `,
    examples: [
      ["By ssh", "$0 context create box --docker host=ssh://box"],
      [
        "By tcp, with certificates",
        "$0 context create lab --docker host=tcp://lab:2376,ca=ca.pem,cert=c.pem,key=k.pem",
      ],
    ],
  };

  description = Option.String("--description", "", { description: "`TEXT` What it is for" });
  docker = Option.String("--docker", { description: "`KEY=VALUE,…` Where the engine is" });
  name = Option.String({ name: "CONTEXT" });

  override async execute(): Promise<number> {
    const said = new Map(parseCsv(this.docker ?? "", "--docker").map(pair));
    const host = said.get("host") ?? "";
    if (host === "") throw invalid("--docker has no host: as --docker host=ssh://box");
    const { parseEngineAddress } = await import("../../remote/address.ts");
    parseEngineAddress(host, false);
    const tls: Record<string, string> = {};
    for (const key of ["ca", "cert", "key"]) {
      const file = said.get(key);
      if (file !== undefined) tls[`${key}.pem`] = pemIn(file);
    }
    const skipTlsVerify = ["true", "1"].includes(said.get("skip-tls-verify") ?? "");
    const { name, description } = this;
    (await contextsOf(this.context)).create({ name, description, host, skipTlsVerify }, tls);
    this.context.stdout.write(`${this.name}\n`);
    this.context.stderr.write(`Successfully created context "${this.name}"\n`);
    return 0;
  }
}

const keys = ["host", "ca", "cert", "key", "skip-tls-verify"];

function pair(text: string): [string, string] {
  const at = text.indexOf("=");
  const key = text.slice(0, at);
  if (at > 0 && keys.includes(key)) return [key, text.slice(at + 1)];
  throw invalid(`invalid --docker ${JSON.stringify(text)}: want KEY=VALUE, of ${keys.join(", ")}`);
}

function pemIn(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw withCause(`cannot read ${file}`, error);
  }
}
