/** Each way from one engine to another; a way that fails says in a line what came out. */
import { join } from "node:path";
import type { PeerImage } from "./images.ts";
import type { Peer, Place } from "./place.ts";

export interface Way {
  name: string;
  go: (place: Place, image: PeerImage) => Promise<void>;
}

export const ways: Way[] = [
  { name: "save, docker loads", go: (place, image) => loadOurs(place, place.docker, image) },
  { name: "save, podman loads", go: (place, image) => loadOurs(place, place.podman, image) },
  {
    name: "save, skopeo copies",
    async go(place, image) {
      const file = await saved(place, place.rt, image.reference, "--output");
      const { shell, command } = place.skopeo;
      const tar = `docker-archive:${shell.inside(file)}`;
      await shell.ok(`${command} copy -q ${tar} dir:${shell.inside(place.files)}/dir`);
      sameId(await shell.ok(`${command} inspect --config --raw ${tar} | sha256sum`), image.id);
    },
  },
  { name: "docker saves, load", go: (place, image) => loadTheirs(place, place.docker, image, "") },
  { name: "podman saves, load", go: (place, image) => loadTheirs(place, place.podman, image, "") },
  {
    name: "podman saves oci-archive, load",
    go: (place, image) => loadTheirs(place, place.podman, image, "--format oci-archive"),
  },
  {
    name: "podman saves several, load",
    async go(place, image) {
      const { shell, command } = place.podman;
      await loadOurs(place, place.podman, image);
      const second = "localhost/second:1";
      await shell.ok(`echo second > /tmp/second && tar -C /tmp -c second | ${command} import -q - ${second}`);
      const file = await saved(place, place.podman, `${image.reference} ${second}`, "-m --output");
      await emptied(place.other);
      await place.other.shell.ok(`${place.other.command} load -i ${file}`);
      await isSame(place.other, image.reference, image);
      const id = "image inspect -f '{{.Id}}' localhost/second:1";
      sameId(await place.other.shell.ok(`${place.other.command} ${id}`), await shell.ok(`${command} ${id}`));
    },
  },
  {
    name: "save, ctr imports and exports, load",
    async go(place, image) {
      const { shell, command } = place.ctr;
      const file = await saved(place, place.rt, image.reference, "--output");
      const inside = shell.inside(file);
      await shell.ok(`${command} images import ${inside}`);
      // Of several platforms the one that was unpacked is all that it has.
      await shell.ok(`${command} images export ${inside}.ctr ${image.reference}`);
      await shell.ok(`${command} images rm --sync ${image.reference}`);
      for (const how of [`-i ${file}.ctr`, `<${file}.ctr`]) {
        await emptied(place.other);
        await place.other.shell.ok(`${place.other.command} load ${how}`);
        await isSame(place.other, image.reference, image);
      }
    },
  },
  { name: "push, docker pulls", go: (place, image) => pullPushed(place, place.docker, image) },
  { name: "push, podman pulls", go: (place, image) => pullPushed(place, place.podman, image) },
  { name: "serve, docker pulls", go: (place, image) => pullServed(place, place.docker, image) },
  { name: "serve, podman pulls", go: (place, image) => pullServed(place, place.podman, image) },
  { name: "docker pushes to serve", go: (place, image) => pushServed(place, place.docker, image) },
  { name: "podman pushes to serve", go: (place, image) => pushServed(place, place.podman, image) },
  {
    name: "skopeo, to serve and back",
    async go({ skopeo: { shell, command }, registry, serve, files }, { reference }) {
      const there = `docker://${serve}/team/skopeo:1`;
      const copy = `${command} copy -q --all --preserve-digests --src-tls-verify=false --dest-tls-verify=false`;
      await shell.ok(`${copy} docker://${reference} ${there}`);
      await shell.ok(`${copy} ${there} docker://${registry.address}/back:1`);
      const raw = `${command} inspect --raw --tls-verify=false`;
      const digest = (where: string) => shell.ok(`${raw} ${where} | sha256sum`);
      sameId(await digest(`docker://${registry.address}/back:1`), await digest(`docker://${reference}`));
      await shell.ok(`${copy.replace("--all", "")} ${there} dir:${shell.inside(files)}/dir`);
    },
  },
];

async function loadOurs(place: Place, peer: Peer, image: PeerImage): Promise<void> {
  const file = await saved(place, place.rt, image.reference, "--output");
  await peer.shell.ok(`${peer.command} load -i ${peer.shell.inside(file)}`);
  await isSame(peer, image.reference, image);
}

/** What we have saved, which they have loaded and saved again, into an empty store. */
async function loadTheirs(place: Place, peer: Peer, image: PeerImage, flags: string): Promise<void> {
  await loadOurs(place, peer, image);
  const file = await saved(place, peer, image.reference, `${flags} --output`);
  const { shell, command } = place.other;
  await emptied(place.other);
  await shell.ok(`${command} load -i ${file}`);
  // What podman writes as oci-archive has another manifest; the config may be one of OCI's.
  await isSame(place.other, image.reference, image);
}

async function emptied({ shell, command }: Peer): Promise<void> {
  await shell.time(`${command} rmi -f $(${command} images -aq)`);
}

async function pullPushed(place: Place, peer: Peer, image: PeerImage): Promise<void> {
  const target = `${place.registry.address}/pushed/${peer.name}:1`;
  const { shell, command } = place.rt;
  await shell.ok(`${command} push ${image.reference} ${target}`);
  await peer.shell.ok(`${peer.command} pull -q ${peer.insecure} ${target}`);
  await isSame(peer, target, image);
}

async function pullServed(place: Place, peer: Peer, image: PeerImage): Promise<void> {
  const { shell, command } = place.served;
  await shell.ok(`${command} pull -q ${image.reference} && ${command} tag ${image.reference} team/served:1`);
  const target = `${place.serve}/team/served:1`;
  await peer.shell.ok(`${peer.command} pull -q ${peer.insecure} ${target}`);
  await isSame(peer, target, image);
}

async function pushServed(place: Place, peer: Peer, image: PeerImage): Promise<void> {
  await loadOurs(place, peer, image);
  const target = `${place.serve}/team/${peer.name}:1`;
  await peer.shell.ok(`${peer.command} tag ${image.reference} ${target}`);
  await peer.shell.ok(`${peer.command} push -q ${peer.insecure} ${target}`);
  await isSame(place.served, `team/${peer.name}:1`, image);
}

async function saved(place: Place, by: Peer, reference: string, flags: string): Promise<string> {
  const file = join(place.files, `${by.name}.tar`);
  await by.shell.ok(`rm -f ${by.shell.inside(file)}`);
  await by.shell.ok(`${by.command} save ${flags} ${by.shell.inside(file)} ${reference}`);
  return file;
}

async function isSame({ shell, command, run }: Peer, reference: string, image: PeerImage): Promise<void> {
  sameId(await shell.ok(`${command} image inspect -f '{{.Id}}' ${reference}`), image.id);
  const flags = image.flags.replace(/ [^: ]*busybox:/, ` ${shell.inside("/usr/bin/busybox")}:`);
  const said = await shell.ok(`${run} ${flags} ${reference} ${image.line}`);
  if (said !== image.prints.trim()) throw new Error(`it printed ${JSON.stringify(said)}`);
}

function sameId(said: string, wanted: string): void {
  const bare = (text: string) => text.replace("sha256:", "").split(" ")[0];
  if (bare(said) !== bare(wanted)) throw new Error(`${bare(said)} came out, not ${bare(wanted)}`);
}
