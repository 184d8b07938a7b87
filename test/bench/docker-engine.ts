/** docker, with a daemon of its own that lives from `open` to `close`, and touches no network but where it has one to itself. */
import { join } from "node:path";
import { until } from "../support/wait.ts";
import { containerDocument, type Engine } from "./engine.ts";
import type { Shell } from "./shell.ts";

export async function dockerEngine(
  shell: Shell,
  scratch: string,
  docker: string,
  dockerd: string,
  { hasNetworks = false } = {},
): Promise<Engine> {
  const version = (await shell.ok(`${dockerd} --version`)).match(/version ([^\s,]+)/)?.[1] ?? "unknown";
  const state = shell.inside(join(scratch, "docker-state"));
  const socket = `${state}/docker.sock`;
  const command = `${docker} -H unix://${socket}`;
  let daemon = "";
  let reference = "";
  return {
    name: "docker",
    version,
    shell,
    async open(dir) {
      const places = `--data-root ${dir}/docker --exec-root ${state}/exec --pidfile ${state}/pid -H unix://${socket}`;
      const quiet = hasNetworks ? "" : "--iptables=false --ip6tables=false --bridge=none";
      await shell.ok(`mkdir -p ${state}`);
      daemon = await shell.ok(`{ ${dockerd} ${places} ${quiet} >${state}/log 2>&1 & }; echo $!`);
      try {
        await until(
          "dockerd answers",
          async () => (await shell.time(`${command} version`)).status === 0,
          30_000,
        );
      } catch (error) {
        const said = await shell.ok(`tail -n 3 ${state}/log; kill -9 ${daemon}; wait ${daemon}; true`);
        throw new Error(`${(error as Error).message}: ${said}`);
      }
    },
    async close() {
      await shell.ok(`kill ${daemon}; wait ${daemon}`, 60_000);
    },
    async prepare(image) {
      reference = image.reference;
      await shell.ok(`${command} pull --quiet ${reference}`);
    },
    run: (line) => `${command} run --rm --network none ${reference} ${line}`,
    async start(name, line) {
      await shell.ok(`${command} run --detach --rm --name ${name} --network none ${reference} ${line}`);
    },
    exec: (name, line) => `${command} exec ${name} ${line}`,
    async remove(name) {
      await shell.ok(`${command} rm --force ${name}`);
    },
    daily: {
      command: () => command,
      make: (verb, flags) => `${command} ${verb} --network none ${flags}`,
      image: () => reference,
      wholeLog: "",
    },
    api: {
      serve: () =>
        Promise.resolve({ socket: join(scratch, "docker-state/docker.sock"), stop: () => Promise.resolve() }),
      document: (program, log) => containerDocument(reference, program, log),
      wholeLog: { Type: "json-file", Config: {} },
    },
    images: {
      pull: (wanted) => `${command} pull ${wanted}`,
      ids: () => `${command} images --no-trunc --quiet`,
      tag: (wanted, name) => `${command} tag ${wanted} ${name}`,
      push: (wanted) => `${command} push ${wanted}`,
      save: (wanted, file) => `${command} save --output ${file} ${wanted}`,
      load: (file) => `${command} load --input ${file}`,
    },
  };
}
