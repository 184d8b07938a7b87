/** What goes each way: the Debian image, the odd ones, and those that only the peers make. All are in rt's store, and run. */
import { benchDebianLayout } from "../bench/debian-image.ts";
import {
  eStargz,
  fivePlatforms,
  foreignLayer,
  layersMax,
  manyLayers,
  noLayers,
} from "../support/odd-images.ts";
import { pushLayout } from "../support/push.ts";
import { tool } from "../support/root.ts";
import type { Place } from "./place.ts";

export interface PeerImage {
  name: string;
  /** In docker-registry, and in rt's store. */
  reference: string;
  flags: string;
  line: string;
  prints: string;
  /** The config's digest. */
  id: string;
  /** Ways that it cannot go for what the peer is, and why. */
  without?: Record<string, string>;
}

interface Recipe {
  name: string;
  put: (place: Place, repository: string) => Promise<unknown>;
  flags?: (place: Place) => string;
  line: string;
  prints: string;
  without?: Record<string, string>;
}

/** Elsewhere than at the registry are its bytes, where nobody goes. */
const licensed = "its layer is at no registry";

/** "max depth exceeded" */
const dockerDepth = "docker takes 125";

const recipes: Recipe[] = [
  {
    name: "Debian, 4 layers",
    put: async ({ registry }, repository) =>
      pushLayout(await benchDebianLayout(), "gzip", registry, `${repository}:1`),
    line: "cat /srv/wasfile/file /srv/hard/two",
    prints: "now\nlinked\n",
  },
  {
    ...odd("127 layers", manyLayers, `cat /layers/${layersMax - 1}`, `layer ${layersMax - 1}\n`),
    without: Object.fromEntries(
      ["save, docker loads", "docker saves, load", "push, docker pulls", "serve, docker pulls"]
        .concat("docker pushes to serve")
        .map((way) => [way, dockerDepth]),
    ),
  },
  odd("five platforms", fivePlatforms, "cat /etc/platform", "amd64\n"),
  odd("eStargz by hand", eStargz, "cat /lazy/one", "one\n"),
  {
    ...odd("foreign layer", foreignLayer, "cat /licensed", "of somebody else\n"),
    without: {
      "push, docker pulls": licensed,
      "push, podman pulls": licensed,
      "podman saves oci-archive, load": "podman makes another config of it",
    },
  },
  {
    ...odd("no layers", noLayers, "/busybox echo bound", "bound\n"),
    flags: () => `-v ${tool("busybox")}:/busybox:ro`,
    without: { "docker saves, load": "docker saves none without layers" },
  },
  {
    name: "zstd:chunked of podman",
    put: ({ podman: { shell, command }, registry }, repository) => {
      const from = `${registry.address}/debian-4-layers:1`;
      const to = `${registry.address}/${repository}:1`;
      const flags = "--tls-verify=false --compression-format zstd:chunked --force-compression";
      return shell.ok(
        `${command} pull -q --tls-verify=false ${from} && ${command} push ${flags} ${from} docker://${to}`,
      );
    },
    line: "cat /srv/wasfile/file",
    prints: "now\n",
  },
  {
    name: "eStargz of containerd",
    put: async ({ docker: { shell }, containerd, registry }, repository) => {
      if (!containerd) throw new Error("no ctr-remote in the tree");
      const from = `${registry.address}/debian-4-layers:1`;
      const to = `${registry.address}/${repository}:1`;
      await shell.ok(`${containerd} content fetch --plain-http ${from}`);
      await shell.ok(`${containerd} image convert --estargz --oci ${from} ${to}`);
      await shell.ok(`${containerd} image push --plain-http ${to}`);
    },
    line: "cat /srv/wasfile/file",
    prints: "now\n",
  },
  {
    name: "docker's commit",
    put: async ({ docker: { shell, command, run: runs }, registry }, repository) => {
      const to = `${registry.address}/${repository}:1`;
      await shell.ok(`${command} pull -q ${registry.address}/estargz-by-hand:1`);
      const line = `${runs.replace("--rm", "--name made")} ${registry.address}/estargz-by-hand:1`;
      await shell.ok(`${line} sh -c 'echo made > /made; rm /lazy/one'`);
      await shell.ok(`${command} commit made ${to} && ${command} rm made && ${command} push -q ${to}`);
    },
    line: "sh -c 'cat /made; ls /lazy'",
    prints: "made\ntwo\n",
  },
];

function odd(name: string, make: typeof manyLayers, line: string, prints: string): Recipe {
  const put: Recipe["put"] = async ({ registry }, repository) => {
    const { layout, tag } = await make();
    await pushLayout(layout, tag, registry, `${repository}:1`);
  };
  return { name, put, line, prints };
}

export async function peerImages(
  place: Place,
  only: string,
): Promise<{ made: PeerImage[]; failures: string[] }> {
  const made: PeerImage[] = [];
  const failures: string[] = [];
  for (const { name, put, flags, line, prints, without } of recipes.filter((recipe) =>
    recipe.name.includes(only),
  )) {
    const repository = name.toLowerCase().replace(/[^a-z0-9]+/g, "-");
    const reference = `${place.registry.address}/${repository}:1`;
    const { shell, command, run } = place.rt;
    try {
      await put(place, repository);
      await shell.ok(`${command} pull -q ${reference}`);
      const bound = flags?.(place) ?? "";
      const said = await shell.ok(`${run} ${bound} ${reference} ${line}`);
      if (said !== prints.trim()) throw new Error(`it printed ${JSON.stringify(said)}`);
      const id = await shell.ok(`${command} image inspect -f '{{.Id}}' ${reference}`);
      made.push({ name, reference, flags: bound, line, prints, id, ...(without && { without }) });
    } catch (error) {
      failures.push(`${name}, from there and run: ${(error as Error).message}`);
    }
  }
  return { made, failures };
}
