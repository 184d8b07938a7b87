import { commit, version } from "./base/build-info.ts";

// Nothing is imported for the version, not even node:fs: a script that asks for it pays for a bare start.
const [, , first, second] = process.argv;
if ((first === "--version" || first === "-v") && second === undefined) {
  console.log(`rt version ${version}, build ${commit}`);
} else {
  const { runCli, processContext } = await import("./cli/cli.ts");
  // Not a fall-through: an idle connection or timer must not keep a finished command alive.
  process.exit(await runCli(process.argv.slice(2), processContext()));
}
