/** The engine in this process. */
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openLocal } from "../../../src/engine/local.ts";
import { mountPoints, processesMentioning } from "../../support/leaks.ts";
import { needs } from "../../support/root.ts";
import { scratchDirectory } from "../../support/scratch.ts";
import { until } from "../../support/wait.ts";
import type { EngineUnderTest } from "./callers.ts";
import { engineContract } from "./engine.ts";
import { ownHost } from "./own-host.ts";

async function local(): Promise<EngineUnderTest> {
  const directory = mkdtempSync(join(scratchDirectory(), "rt-engine-"));
  return {
    open(session) {
      const places = { root: join(directory, "root"), state: join(directory, "state") };
      return openLocal(session, { ...places, env: { HOME: directory } });
    },
    async [Symbol.asyncDispose]() {
      await until(
        "nothing runs any more",
        () =>
          processesMentioning(directory).length === 0 && !mountPoints().some((at) => at.includes(directory)),
      );
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

engineContract(local, needs({ root: true }).test);
ownHost(local, needs({ root: true }).test);
