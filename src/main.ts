import { commit, version } from "./base/build-info.ts";
import { isPackedApp } from "./base/packed.ts";

// Nothing is imported for the version, not even node:fs: a script that asks for it pays for a bare start.
const [, , first, second] = process.argv;
if (isPackedApp(process.env)) {
  const [{ runApp }, { processContext }] = await Promise.all([
    import("./cli/app.ts"),
    import("./cli/cli.ts"),
  ]);
  const { leave } = await import("./base/leave.ts");
  leave(await runApp(process.argv.slice(2), processContext()));
} else if ((first === "--version" || first === "-v") && second === undefined) {
  console.log(`rt version ${version}, build ${commit}`);
} else {
  const { runCli, processContext } = await import("./cli/cli.ts");
  const { leave } = await import("./base/leave.ts");
  leave(await runCli(process.argv.slice(2), processContext()));
}
