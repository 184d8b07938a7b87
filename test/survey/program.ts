/** zig-native/probe/survey.zig as a static program. */
import { join } from "node:path";
import { programTargets, zigProgram } from "../support/zig-program.ts";

export async function surveyProgram(): Promise<string> {
  return join(await zigProgram("survey"), programTargets[0]!);
}
