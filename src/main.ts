import { commit, version } from "./base/build-info.ts";

// Process 1 may have been started by the kernel, whose words are no commands.
const argv =
  process.pid === 1 ? (await import("./cli/process-one.ts")).argvOfProcessOne() : process.argv.slice(2);
// Nothing is imported for the version, not even node:fs: a script that asks for it pays for a bare start.
const [first, second] = argv;
if ((first === "--version" || first === "-v") && second === undefined) {
  console.log(`rt version ${version}, build ${commit}`);
} else {
  const { runCli, processContext } = await import("./cli/cli.ts");
  const { leave } = await import("./base/leave.ts");
  leave(await runCli(argv, processContext()));
}
