/** podman, with a store and state of its own. */
import { join } from "node:path";
import { containerDocument, type Engine, serveInBackground } from "./engine.ts";
import type { Shell } from "./shell.ts";

export async function podmanEngine(shell: Shell, scratch: string, program: string): Promise<Engine> {
  const version = (await shell.ok(`${program} --version`)).split(" ").at(-1)!;
  const state = shell.inside(join(scratch, "podman-state"));
  let command = program;
  let store = "";
  let reference = "";
  // A host may lack the pids controller, which its default limit wants.
  const common = "--pids-limit=0 --network none";
  return {
    name: "podman",
    version,
    shell,
    async open(dir) {
      // Layers are downloaded to TMPDIR: to the store's disk, as by default.
      await shell.ok(`export TMPDIR=${dir}/podman-tmp; mkdir -p $TMPDIR`);
      store = `${dir}/podman`;
      const places = `--root ${store} --runroot ${state}/run --tmpdir ${state}/tmp`;
      command = `${program} --cgroup-manager cgroupfs ${places}`;
    },
    async close() {
      // It leaves its overlay directory mounted on itself.
      await shell.ok(`unset TMPDIR; umount ${store}/overlay; rm -rf ${state}`);
    },
    async prepare(image) {
      reference = image.reference;
      await shell.ok(`${command} pull --quiet --tls-verify=false ${reference}`);
    },
    run: (line) => `${command} run --rm ${common} ${reference} ${line}`,
    async start(name, line) {
      await shell.ok(`${command} run --detach --rm --name ${name} ${common} ${reference} ${line}`);
    },
    exec: (name, line) => `${command} exec ${name} ${line}`,
    async remove(name) {
      await shell.ok(`${command} rm --force --time 0 ${name}`);
    },
    daily: {
      command: () => command,
      // Its rm -f stops what it removes, and waits for that.
      make: (verb, flags) => `${command} ${verb} ${common} --stop-timeout 0 ${flags}`,
      image: () => reference,
      wholeLog: "--log-driver k8s-file",
    },
    api: {
      serve: () =>
        serveInBackground(
          shell,
          (address) => `${command} system service --time 0 ${address}`,
          join(scratch, "podman.sock"),
        ),
      document: (program, log) => containerDocument(reference, program, log),
      wholeLog: { Type: "k8s-file", Config: {} },
    },
    images: {
      pull: (wanted) => `${command} pull --tls-verify=false ${wanted}`,
      ids: () => `${command} images --no-trunc --quiet`,
      tag: (wanted, name) => `${command} tag ${wanted} ${name}`,
      push: (wanted) => `${command} push --tls-verify=false ${wanted}`,
      save: (wanted, file) => `${command} save --output ${file} ${wanted}`,
      load: (file) => `${command} load --input ${file}`,
    },
  };
}
