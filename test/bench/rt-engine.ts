/** rt itself, in a store and state of its own, below the host's shell. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../support/wait.ts";
import { containerDocument, type Engine, type Image, serveInBackground } from "./engine.ts";
import { processWithArguments } from "./processes.ts";
import type { Shell } from "./shell.ts";

export async function rtEngine(shell: Shell, scratch: string, binary: string): Promise<Engine> {
  const version = (await shell.ok(`${binary} --version`)).replace("rt version ", "");
  let reference = "";
  const common = "--network none";
  return {
    name: "rt",
    version,
    shell,
    async open(dir) {
      const state = join(scratch, `rt-state-${randomBytes(4).toString("hex")}`);
      await shell.ok(`export RT_ROOT=${dir}/rt RT_STATE=${state}`);
    },
    close: () => Promise.resolve(),
    async prepare(image: Image) {
      reference = image.reference;
      await shell.ok(`${binary} pull --quiet ${reference}`);
    },
    run: (program) => `${binary} run --rm ${common} ${reference} ${program}`,
    async start(name, program) {
      const log = `${scratch}/rt-client.log`;
      const command = `${binary} run --rm --name ${name} ${common} ${reference} ${program}`;
      const client = await shell.ok(`{ ${command} & } >${log} 2>&1; echo $!`);
      try {
        await until(`${program} runs`, () => processWithArguments(program.split(" ")) !== undefined);
      } catch (error) {
        throw new Error(`${(error as Error).message}: ${readFileSync(log, "utf8").slice(-300)}`);
      } finally {
        // A container outlives its client, which leaves only what every container costs.
        await shell.ok(`kill -9 ${client}; wait ${client}; true`);
      }
    },
    exec: (name, program) => `${binary} exec ${name} ${program}`,
    async remove(name) {
      await shell.ok(`${binary} rm -f ${name}`);
    },
    daily: {
      command: () => binary,
      make: (verb, flags) => `${binary} ${verb} ${common} ${flags}`,
      image: () => reference,
      wholeLog: "--log-opt max-size=-1",
    },
    api: {
      serve: () =>
        serveInBackground(shell, (address) => `${binary} daemon -H ${address}`, join(scratch, "rt.sock")),
      document: (program, log) => containerDocument(reference, program, log),
      wholeLog: { Type: "", Config: { "max-size": "-1" } },
    },
    images: {
      pull: (wanted) => `${binary} pull ${wanted}`,
      ids: () => `${binary} images --no-trunc --quiet`,
      tag: (wanted, name) => `${binary} tag ${wanted} ${name}`,
      push: (wanted) => `${binary} push ${wanted}`,
      save: (wanted, file) => `${binary} save --output ${file} ${wanted}`,
      load: (file) => `${binary} load --input ${file}`,
    },
  };
}
