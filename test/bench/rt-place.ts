/** rt in a host's network of the rows' own, with a store of its own, and the prober in its containers. */
import { join } from "node:path";
import { probeBinary } from "../support/probe.ts";
import { until } from "../support/wait.ts";
import { entering, type Namespace } from "./namespaces.ts";
import type { World } from "./world.ts";

export interface RtPlace {
  /** A container that runs the prober so: its address, and what enters its network. Gone with the stack. */
  serve(name: string, flags: string, line: string): Promise<{ address: string; enter: string }>;
}

export async function rtPlace(
  world: World,
  stack: AsyncDisposableStack,
  host: Namespace,
  name: string,
): Promise<RtPlace> {
  const { host: shell, scratch } = world;
  const { reference } = await world.busybox();
  const places = `env RT_ROOT=${join(scratch, name)}/root RT_STATE=${join(scratch, name)}/state`;
  // The registry is on the machine's own loopback interface.
  await shell.ok(`${places} ${world.binary} pull --quiet ${reference}`);
  const rt = `${places} ${host.enter} ${world.binary}`;
  const probe = await probeBinary();
  return {
    async serve(container, flags, line) {
      const more = `-v ${probe}:/probe:ro --network bridge ${flags}`;
      await shell.ok(`${rt} run -d --name ${container} ${more} ${reference} /probe ${line}`);
      stack.defer(async () => void (await shell.ok(`${rt} rm -f ${container}`)));
      await until("it listens", async () => (await shell.ok(`${rt} logs ${container}`)) !== "");
      const pid = await shell.ok(`${rt} inspect -f '{{.State.Pid}}' ${container}`);
      const address = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
      return {
        address: await shell.ok(`${rt} inspect -f '${address}' ${container}`),
        enter: entering(pid),
      };
    },
  };
}
