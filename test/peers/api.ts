/**
 * bun test/peers/api.ts DOCKER-SOCKET RT-SOCKET IMAGE
 *
 * The same requests to two engines with Docker's API, by hand: what of their answers differs in the status, or is not there
 * of a document's keys, or of another type. IMAGE is one that both have, by the same name. Each makes and removes a network and a volume, and
 * nothing else. The exit status is 1 where anything differs.
 */
import { ask } from "../../src/http/client.ts";
import { connectDuplex } from "../../src/http/socket.ts";

const [docker = "", rt = "", image = ""] = process.argv.slice(2);
const encode = encodeURIComponent;
const subnet = { Config: [{ Subnet: "10.213.77.0/24", Gateway: "10.213.77.1" }] };

const requests: [method: string, path: string, body?: object][] = [
  ["GET", "/version"],
  ["GET", "/info"],
  ["GET", "/v1.43/info"],
  ["GET", "/system/df"],
  ["GET", "/system/df?type=image"],
  ["GET", "/system/df?type=x"],
  ["GET", "/images/json"],
  ["GET", "/v1.43/images/json"],
  ["GET", "/images/json?shared-size=1"],
  ["GET", `/images/json?filters=${encode('{"x":["y"]}')}`],
  ["GET", `/images/${image}/json`],
  ["GET", `/v1.43/images/${image}/json`],
  ["GET", `/images/${image}/history`],
  ["GET", "/images/nothing/json"],
  ["DELETE", "/images/nothing"],
  ["POST", `/images/${image}/tag?repo=Bad`],
  ["GET", `/distribution/${image}/json`],
  ["POST", "/networks/create", { Name: "rt-peers", IPAM: subnet, Labels: { a: "b" } }],
  ["POST", "/networks/create", { Name: "rt-peers" }],
  ["GET", "/networks/rt-peers"],
  ["GET", `/networks?filters=${encode('{"name":["rt-peers"]}')}`],
  ["POST", "/networks/rt-peers/connect", { Container: "nothing" }],
  ["DELETE", "/networks/rt-peers"],
  ["DELETE", "/networks/rt-peers"],
  ["DELETE", "/networks/host"],
  ["POST", "/volumes/create", { Name: "rt-peers", Labels: { a: "b" } }],
  ["GET", "/volumes/rt-peers"],
  ["GET", `/volumes?filters=${encode('{"name":["rt-peers"]}')}`],
  ["PUT", "/volumes/rt-peers", {}],
  ["DELETE", "/volumes/rt-peers"],
  ["DELETE", "/volumes/rt-peers"],
  ["GET", "/events?since=1&until=2"],
  ["POST", "/commit?container=nothing"],
  ["GET", "/swarm"],
  ["GET", "/services"],
  ["GET", "/plugins"],
  ["GET", "/plugins/x/json"],
];

interface Seen {
  status: number;
  type: string;
  /** "Config.Cmd[]" -> "string" */
  fields: Map<string, string>;
}

/** Maps whose keys are names are told of as one. */
const named = /(Labels|Containers|Runtimes|IndexConfigs|Data|Volumes|ExposedPorts|Status)$/;

let different = 0;
for (const [method, path, body] of requests) {
  const [theirs, ours] = [await seen(docker, method, path, body), await seen(rt, method, path, body)];
  for (const line of differences(theirs, ours)) {
    console.log(`${method} ${path}: ${line}`);
    different++;
  }
}
console.log(`${requests.length} requests, ${different} differences`);
process.exit(different > 0 ? 1 : 0);

async function seen(socket: string, method: string, target: string, body?: object): Promise<Seen> {
  const wire = await connectDuplex({ unix: socket });
  try {
    const fields = [["Host", "peers"] as const, ["Content-Type", "application/json"] as const];
    const sent = body && Buffer.from(JSON.stringify(body));
    const answered = await ask(wire, { method, target, fields, body: sent });
    const text = Buffer.concat(await Array.fromAsync(answered.body)).toString();
    const found = new Map<string, string>();
    if (text.trim() !== "") describe(JSON.parse(text), "", found);
    return { status: answered.status, type: answered.fields.get("content-type") ?? "", fields: found };
  } finally {
    wire.destroy();
  }
}

function describe(value: unknown, path: string, into: Map<string, string>): void {
  if (typeof value !== "object" || value === null) {
    into.set(path, value === null ? "null" : typeof value);
    return;
  }
  into.set(path, Array.isArray(value) ? "list" : "object");
  for (const [key, each] of Object.entries(value)) {
    if (Array.isArray(value)) describe(each, `${path}[]`, into);
    else describe(each, named.test(path) && key !== "Size" ? `${path}.*` : `${path}.${key}`, into);
  }
}

function differences(theirs: Seen, ours: Seen): string[] {
  const found: string[] = [];
  if (theirs.status !== ours.status) found.push(`status ${theirs.status}, here ${ours.status}`);
  if (theirs.type !== ours.type) found.push(`type ${theirs.type}, here ${ours.type}`);
  for (const key of new Set([...theirs.fields.keys(), ...ours.fields.keys()])) {
    const [a, b] = [theirs.fields.get(key), ours.fields.get(key)];
    // What is more here, a client passes over.
    if (a !== undefined && a !== b) found.push(`${key} is ${a}, here ${b ?? "not there"}`);
  }
  return found;
}
