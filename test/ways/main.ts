/** By hand, as root:  bun test/ways/main.ts auto|user|single FILE… [-t PATTERN] */
import { parseArgs } from "node:util";
import { inWay } from "./run.ts";

const { values, positionals } = parseArgs({
  options: { t: { type: "string", short: "t" } },
  allowPositionals: true,
});
const [way, ...files] = positionals;
if (way !== "auto" && way !== "user" && way !== "single")
  throw new Error("usage: bun test/ways/main.ts auto|user|single FILE… [-t PATTERN]");
const { output, code } = await inWay(way, files, { ...(values.t && { only: [values.t] }) });
console.log(output);
process.exit(code);
