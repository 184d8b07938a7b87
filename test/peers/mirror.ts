/**
 * RT_BENCH_PEERS=TREE bun test/peers/mirror.ts
 *
 * The current dockerd (`registry-mirrors`) and containerd (`hosts.toml`, which adds ns=) pull images of Docker Hub through
 * `rt registry serve --upstream`, with a Hub of our own behind it: called by hand, as root. Each image must come whole, and no
 * request pass the mirror by. The exit status is 1 when anything else came out.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { digestOf } from "../../src/oci/digest.ts";
import { makeWorld, type World } from "../bench/world.ts";
import { fileLayer, imageOf } from "../cli/image-world.ts";
import { FakeRegistry, type TestImage } from "../support/fake-registry.ts";
import { startProxy } from "../support/proxy.ts";
import { freePort } from "../support/registry.ts";
import { until } from "../support/wait.ts";

if (!process.env.RT_BENCH_PEERS) throw new Error("RT_BENCH_PEERS names no tree of docker and containerd");
process.exit((await all()) ? 0 : 1);

async function all(): Promise<boolean> {
  await using world = await makeWorld();
  await using hub = await FakeRegistry.start({ tls: true });
  await using proxy = await startProxy(hub.host);
  const images = { dockerd: image("dockerd"), containerd: image("containerd") };
  hub.push("library/of-docker", "1", images.dockerd);
  hub.push("team/of-containerd", "1", images.containerd);
  const mirror = `http://127.0.0.1:${await freePort()}`;
  await using _serve = await serve(world, mirror, proxy.url);
  const shell = world.shells.at(-1)!;
  const state = shell.inside(join(world.scratch, "mirror"));
  await mkdir(join(world.scratch, "mirror/hosts/docker.io"), { recursive: true });
  const hosts = `server = "https://registry-1.docker.io"\n[host."${mirror}"]\n  capabilities = ["pull", "resolve"]\n`;
  await writeFile(join(world.scratch, "mirror/hosts/docker.io/hosts.toml"), hosts);
  const places = `--data-root ${state}/data --exec-root ${state}/exec --pidfile ${state}/pid -H unix://${state}/sock`;
  const flags = `--iptables=false --ip6tables=false --bridge=none --registry-mirror ${mirror}`;
  const daemon = await shell.ok(`{ dockerd ${places} ${flags} >${state}/log 2>&1 & }; echo $!`);
  const docker = `docker -H unix://${state}/sock`;
  const containerd = `ctr --address ${state}/exec/containerd/containerd.sock --namespace mirror`;
  try {
    await until("dockerd answers", async () => (await shell.time(`${docker} version`)).status === 0, 60_000);
    const ways: [string, TestImage, string][] = [
      ["dockerd", images.dockerd, `${docker} pull -q of-docker:1`],
      [
        "containerd",
        images.containerd,
        `${containerd} images pull --hosts-dir ${state}/hosts docker.io/team/of-containerd:1`,
      ],
    ];
    let isRight = true;
    for (const [name, wanted, line] of ways) {
      const { status, stderr } = await shell.time(line);
      const isWhole = status === 0 && wanted.layers.every((layer) => isFetchedOnce(hub, layer));
      console.log(`${name}: ${isWhole ? "pulled" : `FAILED (${status}) ${stderr.trim()}`}`);
      isRight &&= isWhole;
    }
    console.log((await Bun.file(join(world.scratch, "mirror.log")).text()).trim());
    return isRight;
  } finally {
    await shell.ok(`kill ${daemon}; wait ${daemon}; true`, 60_000);
  }
}

function image(name: string): TestImage {
  return imageOf([fileLayer(name, 100_000), fileLayer(`${name}2`, 10)]);
}

function isFetchedOnce(hub: FakeRegistry, layer: Uint8Array): boolean {
  return hub.requests.filter(({ path }) => path.endsWith(`/blobs/${digestOf(layer)}`)).length === 1;
}

/** rt's mirror of Docker Hub, which it reaches through a proxy that leads elsewhere. */
async function serve({ host, scratch, binary }: World, url: string, proxy: string): Promise<AsyncDisposable> {
  const dir = join(scratch, "rt-mirror");
  await mkdir(join(dir, "rt"), { recursive: true });
  await writeFile(join(dir, "rt/config.toml"), '[registries."docker.io"]\ninsecure = true\n');
  const env = `RT_ROOT=${dir}/root RT_STATE=${dir}/state XDG_CONFIG_HOME=${dir} HTTPS_PROXY=${proxy}`;
  const args = `--listen ${new URL(url).host} --upstream https://registry-1.docker.io`;
  const pid = await host.ok(
    `{ env ${env} ${binary} registry serve ${args} & } >${scratch}/mirror.log 2>&1; echo $!`,
  );
  await until("the mirror listens", async () =>
    (await Bun.file(join(scratch, "mirror.log")).text()).includes("listening on"),
  );
  return { [Symbol.asyncDispose]: async () => void (await host.ok(`kill ${pid}; wait ${pid}; true`)) };
}
