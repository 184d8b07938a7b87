import { commit, version } from "./base/build-info.ts";
import { isPackedApp } from "./base/packed.ts";

const argv = process.argv.slice(2);
// Process 1 may have been started by a kernel, whose words are no commands.
const init = process.pid === 1 ? (await import("./cli/process-one.ts")).initArgvOfThis() : undefined;
// Nothing is imported for the version, not even node:fs: a script that asks for it pays for a bare start.
if (!init && isPackedApp(process.env)) {
  const [{ runApp }, { processContext }] = await Promise.all([
    import("./cli/app.ts"),
    import("./cli/cli.ts"),
  ]);
  const { leave } = await import("./base/leave.ts");
  leave(await runApp(argv, processContext()));
} else if (!init && (argv[0] === "--version" || argv[0] === "-v") && argv[1] === undefined) {
  console.log(`rt version ${version}, build ${commit}`);
} else {
  const { runCli, processContext } = await import("./cli/cli.ts");
  const { leave } = await import("./base/leave.ts");
  leave(await runCli(init ?? argv, processContext()));
}
