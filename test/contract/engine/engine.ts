import type { EngineUnderTest, Test } from "./callers.ts";
import { files, lives } from "./containers.ts";
import { nouns } from "./nouns.ts";
import { callers, patience, programs } from "./programs.ts";

/**
 * What every engine keeps to, in this process or behind an API: see src/engine/engine.ts. Callers are sessions of streams, as
 * a daemon's are; `embed:hello` is the prober.
 */
export function engineContract(make: () => Promise<EngineUnderTest>, test: Test): void {
  programs(make, test);
  callers(make, test);
  patience(make, test);
  lives(make, test);
  files(make, test);
  nouns(make, test);
}
