import { isPackedApp } from "./app/is-packed.ts";
import { commit, version } from "./base/build-info.ts";
import { programName } from "./base/program-name.ts";

const argv = process.argv.slice(2);
const isVersion = ([word, ...more]: string[]) => (word === "--version" || word === "-v") && more.length === 0;
// The session of a machine or a namespace may have words of its kernel, which are no commands.
const session =
  argv[0] === "init" && process.ppid === 1
    ? (await import("./cli/system/init-argv.ts")).sessionArgv(argv)
    : undefined;
// Nothing is imported for the version, not even node:fs: a script that asks for it pays for a bare start.
if (!session && isPackedApp(process.env)) {
  const [{ runPackedApp }, { processContext }] = await Promise.all([
    import("./cli/packed-app.ts"),
    import("./cli/cli.ts"),
  ]);
  const { leave } = await import("./base/leave.ts");
  leave(await runPackedApp(argv, processContext()));
} else if (!session && isVersion(argv) && programName === "rt") {
  console.log(`rt version ${version}, build ${commit}`);
} else {
  const { runCli, processContext } = await import("./cli/cli.ts");
  const { leave } = await import("./base/leave.ts");
  leave(await runCli(session ?? argv, processContext()));
}
