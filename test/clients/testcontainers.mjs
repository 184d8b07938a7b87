/**
 * testcontainers against the engine at DOCKER_HOST. Prints "good" in the end. Its reaper (Ryuk) comes from a registry, so it is off;
 * what that does (list and delete by label over a socket that is bound into a container) dockerode.mjs does by itself.
 */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import Docker from "dockerode";
import { GenericContainer, Network, Wait } from "testcontainers";
import { image, rootArchive, socketPath } from "./support.mjs";

const docker = new Docker({ socketPath });
const stream = await docker.importImage(Readable.from([rootArchive()]), { repo: image.split(":")[0], tag: "tc" });
await new Promise((resolve, reject) => docker.modem.followProgress(stream, (error) => (error ? reject(error) : resolve())));
const name = `${image.split(":")[0]}:tc`;

const network = await new Network().start();
const web = await new GenericContainer(name)
  .withCommand(["sh", "-c", "mkdir -p /www; echo served > /www/index.html; echo ready; exec httpd -f -p 8080 -h /www"])
  .withExposedPorts(8080)
  .withNetwork(network)
  .withNetworkAliases("web")
  .withWaitStrategy(Wait.forLogMessage("ready"))
  .start();
const answer = await fetch(`http://${web.getHost()}:${web.getMappedPort(8080)}/index.html`);
assert.equal(await answer.text(), "served\n");

const client = await new GenericContainer(name)
  .withCommand(["sleep", "600"])
  .withNetwork(network)
  .withEnvironment({ A: "b" })
  .withCopyContentToContainer([{ content: "copied", target: "/tmp/file" }])
  .withHealthCheck({ test: ["CMD", "true"], interval: 500, timeout: 5000, retries: 5, startPeriod: 0 })
  .withWaitStrategy(Wait.forHealthCheck())
  .start();
const { output, exitCode } = await client.exec(["sh", "-c", "wget -q -O - http://web:8080/index.html; cat /tmp/file; echo $A"]);
assert.deepEqual([output, exitCode], ["served\ncopiedb\n", 0]);

const lines = [];
const logs = await web.logs();
logs.on("data", (line) => lines.push(String(line)));
await new Promise((resolve) => setTimeout(resolve, 300));
assert.match(lines.join(""), /ready/);
logs.destroy();

await client.restart();
await client.stop();
await web.stop();
await network.stop();
await docker.getImage(name).remove();
console.log("good");
process.exit(0);
