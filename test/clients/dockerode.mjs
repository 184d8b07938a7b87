/** dockerode against the engine at DOCKER_HOST. Prints "good" in the end. */
import assert from "node:assert/strict";
import { PassThrough, Readable } from "node:stream";
import Docker from "dockerode";
import { image, rootArchive, socketPath, until } from "./support.mjs";

const docker = new Docker({ socketPath });
const label = { "rt.clients": "dockerode" };
const mine = { filters: { label: ["rt.clients=dockerode"] } };

const text = async (stream) => Buffer.concat(await stream.toArray()).toString();
const finished = (stream) => new Promise((resolve, reject) => docker.modem.followProgress(stream, (error, out) => (error ? reject(error) : resolve(out))));
/** The two streams of an attached program without a terminal, once it has ended. */
async function apart(stream) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  docker.modem.demuxStream(stream, stdout, stderr);
  await new Promise((resolve) => stream.on("end", resolve).on("close", resolve));
  stdout.end();
  stderr.end();
  return [await text(stdout), await text(stderr)];
}

async function system() {
  assert.equal((await docker.ping()).toString(), "OK");
  const version = await docker.version();
  assert.match(version.ApiVersion, /^1\.\d+$/);
  assert.equal((await docker.info()).OSType, "linux");
  await finished(await docker.importImage(Readable.from([rootArchive()]), { repo: image.split(":")[0], tag: "1" }));
  assert.ok((await docker.getImage(image).inspect()).Id.startsWith("sha256:"));
  assert.ok((await docker.listImages()).some(({ RepoTags }) => RepoTags?.includes(image)));
}

async function lives() {
  const container = await docker.createContainer({ Image: image, Cmd: ["sh", "-c", "echo out; echo err >&2; read line; echo got $line; exit 7"], OpenStdin: true, StdinOnce: true, name: "rt-clients-lives", Labels: label });
  const stream = await container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true });
  const output = apart(stream);
  const waiting = container.wait({ condition: "next-exit" });
  await container.start();
  stream.write("hello\n");
  stream.end();
  assert.deepEqual(await waiting, { StatusCode: 7 });
  assert.deepEqual(await output, ["out\ngot hello\n", "err\n"]);
  const { State, Name } = await container.inspect();
  assert.deepEqual([State.Status, State.ExitCode, Name], ["exited", 7, "/rt-clients-lives"]);
  const logs = await container.logs({ stdout: true, stderr: false });
  assert.equal(logs.subarray(8, 12).toString(), "out\n");
  await assert.rejects(docker.createContainer({ Image: image, Cmd: ["true"], name: "rt-clients-lives" }), { statusCode: 409 });
  await container.remove();
  await assert.rejects(container.inspect(), { statusCode: 404 });
  await assert.rejects(docker.createContainer({ Image: "rt-clients/nosuch", Cmd: ["true"] }), { statusCode: 404 });
}

async function sleeper(more = {}) {
  const container = await docker.createContainer({ Image: image, Cmd: ["sleep", "600"], Labels: label, ...more });
  await container.start();
  return container;
}

async function inside() {
  // A host whose groups cannot limit it has engines that say so.
  const { MemoryLimit: isLimited } = await docker.info();
  const container = await sleeper({ HostConfig: { Memory: 64 << 20, Init: true }, Env: ["A=1"] });
  await assert.rejects(container.start(), { statusCode: 304 });
  const exec = await container.exec({ Cmd: ["sh", "-c", "cat; echo $A >&2; exit 3"], AttachStdin: true, AttachStdout: true, AttachStderr: true });
  const stream = await exec.start({ hijack: true, stdin: true });
  const output = apart(stream);
  stream.write("through\n");
  stream.end();
  assert.deepEqual(await output, ["through\n", "1\n"]);
  await until("its status is known", async () => !(await exec.inspect()).Running);
  assert.equal((await exec.inspect()).ExitCode, 3);
  const stats = await container.stats({ stream: false });
  if (isLimited) assert.equal(stats.memory_stats.limit, 64 << 20);
  assert.equal(stats.id, container.id);
  assert.ok((await container.top()).Processes.length >= 1);
  await container.putArchive(await (await container.getArchive({ path: "/bin/true" })).toArray().then(Buffer.concat), { path: "/tmp" });
  assert.ok((await container.changes()).some(({ Path, Kind }) => Path === "/tmp/true" && Kind === 1));
  await container.pause();
  assert.equal((await container.inspect()).State.Paused, true);
  await container.unpause();
  await container.rename({ name: "rt-clients-renamed" });
  await container.update({ RestartPolicy: { Name: "on-failure", MaximumRetryCount: 3 } });
  assert.equal((await container.inspect()).HostConfig.RestartPolicy.MaximumRetryCount, 3);
  if (isLimited) {
    await container.update({ Memory: 96 << 20, MemorySwap: 192 << 20 });
    assert.equal((await container.inspect()).HostConfig.Memory, 96 << 20);
  }
  const committed = await container.commit({ repo: "rt-clients/committed", tag: "1" });
  assert.ok(committed.Id.startsWith("sha256:"));
  await container.kill({ signal: "SIGKILL" });
  assert.equal((await container.wait()).StatusCode, 137);
  await container.remove({ v: true });
  await docker.getImage("rt-clients/committed:1").remove();
}

async function terminal() {
  const container = await docker.createContainer({ Image: image, Cmd: ["sh", "-c", "read x; stty size; tty"], Tty: true, OpenStdin: true, Labels: label });
  const stream = await container.attach({ stream: true, stdin: true, stdout: true, hijack: true });
  await container.start();
  await container.resize({ h: 33, w: 99 });
  const pieces = [];
  stream.on("data", (piece) => pieces.push(piece));
  stream.write("\n");
  await container.wait();
  await until("all was read", () => Buffer.concat(pieces).toString().includes("/dev/"));
  assert.match(Buffer.concat(pieces).toString(), /33 99\r\n/);
  stream.destroy();
  await container.remove();
}

async function nouns() {
  const events = await docker.getEvents({ filters: { type: ["volume", "network"] } });
  let seen = "";
  events.on("data", (bytes) => (seen += bytes));
  const volume = await docker.createVolume({ Name: "rt-clients-volume", Labels: label });
  assert.equal((await docker.getVolume("rt-clients-volume").inspect()).Driver, "local");
  assert.equal((await docker.listVolumes(mine)).Volumes.length, 1);
  const network = await docker.createNetwork({ Name: "rt-clients-network", Labels: label });
  assert.equal((await network.inspect()).Driver, "bridge");
  assert.equal((await docker.listNetworks(mine)).length, 1);
  await assert.rejects(docker.createNetwork({ Name: "rt-clients-network" }), { statusCode: 409 });
  await network.remove();
  await docker.getVolume(volume.Name ?? volume.name).remove();
  await until("the events have come", () => /"network".*"destroy"|"destroy".*"network"/s.test(seen) && seen.includes("rt-clients-volume"));
  events.destroy();
  await assert.rejects(docker.getNetwork("rt-clients-network").inspect(), { statusCode: 404 });
}

for (const each of await docker.listContainers({ all: true, ...mine })) await docker.getContainer(each.Id).remove({ force: true });
await system();
await lives();
await inside();
await terminal();
await nouns();
assert.deepEqual(await docker.listContainers({ all: true, ...mine }), []);
await docker.getImage(image).remove();
console.log("good");
