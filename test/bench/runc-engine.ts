/** runc and crun, which know no images: a bundle of the image's tree with the configuration that `runc spec` makes. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Engine, Image } from "./engine.ts";
import type { Shell } from "./shell.ts";

export async function runcEngine(
  name: "runc" | "crun",
  shell: Shell,
  scratch: string,
  program: string,
): Promise<Engine> {
  const version = (await shell.ok(`${program} --version`)).split("\n")[0]!.split(" ").at(-1)!;
  const state = shell.inside(join(scratch, `${name}-state`));
  const command = `${program} --root ${state}`;
  // The id is the cgroup's name too, which all engines on the machine share.
  const unique = (id: string) => `${basename(scratch)}-${name}-${id}`;
  let tree = "";
  let spec: { process: { terminal: boolean; args: string[] }; root: { path: string } };

  /** A bundle that runs `line`: written where the shell and we both see it. */
  const bundle = (label: string, line: string): string => {
    const dir = join(scratch, `${name}-bundle-${label}`);
    mkdirSync(dir, { recursive: true });
    const process = { ...spec.process, terminal: false, args: line.split(" ") };
    writeFileSync(
      join(dir, "config.json"),
      JSON.stringify({ ...spec, process, root: { ...spec.root, path: tree } }),
    );
    return shell.inside(dir);
  };

  return {
    name,
    version,
    shell,
    open: () => Promise.resolve(),
    close: () => Promise.resolve(),
    async prepare(image: Image) {
      tree = shell.inside(image.rootfs);
      const dir = join(scratch, `${name}-spec`);
      mkdirSync(dir, { recursive: true });
      await shell.ok(`cd ${shell.inside(dir)} && rm -f config.json && ${program} spec && cd /`);
      spec = JSON.parse(readFileSync(join(dir, "config.json"), "utf8"));
    },
    run: (line) => `${command} run --bundle ${bundle("run", line)} ${unique("run")}`,
    async start(id, line) {
      await shell.ok(`${command} run --detach --bundle ${bundle(id, line)} ${unique(id)}`);
    },
    exec: (id, line) => `${command} exec ${unique(id)} ${line}`,
    async remove(id) {
      await shell.ok(`${command} delete --force ${unique(id)}`);
    },
  };
}
