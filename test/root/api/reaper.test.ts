/**
 * A container that has the daemon's own socket, and takes away what has a label when whoever asked for that has gone: testcontainers'
 * reaper, in shell.
 */
import { expect } from "bun:test";
import { join } from "node:path";
import { apiHost } from "../../support/api.ts";
import { busyboxLayout } from "../../support/images.ts";
import { requireRoot } from "../../support/root.ts";
import { programTargets, zigProgram } from "../../support/zig-program.ts";

const { test } = requireRoot();

const label = "org.testcontainers.session-id=one";
const filters = encodeURIComponent(JSON.stringify({ label: [label] }));

/** The caller's connection is its standard input: a line, "ACK", and when it has ended all goes. */
const script = `
  ask() { printf '%s %s HTTP/1.1\\r\\nHost: engine\\r\\nConnection: close\\r\\n\\r\\n' "$1" "/v1.41$2" | /socket /var/run/docker.sock; }
  read -r wanted && echo "ACK $wanted"
  cat >/dev/null
  ask GET "/containers/json?all=1&filters=${filters}" | grep -o '"Id":"[0-9a-f]*"' | cut -d '"' -f 4 | while read -r id; do
    ask DELETE "/containers/$id?force=1&v=1" | head -n 1
  done
  for noun in networks volumes images; do ask POST "/$noun/prune?filters=${filters}" | head -n 1; done
`;

test("what has a label goes, asked for from a container through a socket that is bound into it", async () => {
  await using api = await apiHost();
  const { host } = api;
  const image = "busybox:1";
  await host.ok(["pull", "-q", `oci:${await busyboxLayout()}`]);
  await host.ok(["tag", (await host.ok(["images", "-q"])).trim(), image]);
  const socket = join(await zigProgram("socket"), programTargets[0]!);
  const made = async (target: string, body: object): Promise<string> => {
    const { status, json, text } = await api.request("POST", target, body);
    if (status !== 201) throw new Error(`${target}: ${status} ${text}`);
    return json.Id;
  };
  const labels = { Labels: { "org.testcontainers.session-id": "one" } };
  const others = { Labels: { "org.testcontainers.session-id": "two" } };
  const sleeper = { Image: image, Cmd: ["sleep", "600"], HostConfig: { NetworkMode: "none" } };
  await made("/volumes/create", { Name: "taken", ...labels });
  await made("/networks/create", { Name: "taken", ...labels });
  await made("/networks/create", { Name: "kept", ...others });
  const first = await made("/containers/create?name=first", { ...sleeper, ...labels });
  await made("/containers/create?name=second", { ...sleeper, ...labels });
  await made("/containers/create?name=other", { ...sleeper, ...others });
  expect((await api.request("POST", `/containers/${first}/start`)).status).toBe(204);

  const binds = [`${api.path}:/var/run/docker.sock`, `${socket}:/socket:ro`];
  const reaper = { Cmd: ["sh", "-c", script], OpenStdin: true, StdinOnce: true, AttachStdin: true };
  const own = { NetworkMode: "none", Binds: binds, AutoRemove: true };
  await made("/containers/create?name=reaper", { ...reaper, Image: image, HostConfig: own });
  const { stdout, code } = await host.rt(["start", "-ai", "reaper"], { stdin: `label=${label}\n` });
  const lines = stdout.split(/\r?\n/).filter((line) => line !== "");
  expect(lines).toEqual([
    `ACK label=${label}`,
    ...["HTTP/1.1 204 No Content", "HTTP/1.1 204 No Content"],
    ...["HTTP/1.1 200 OK", "HTTP/1.1 200 OK", "HTTP/1.1 200 OK"],
  ]);
  expect(code).toBe(0);
  const left = (await api.request("GET", "/containers/json?all=1")).json;
  expect(left.map(({ Names }: { Names: string[] }) => Names[0])).toEqual(["/other"]);
  const networks = (await host.ok(["network", "ls", "--format", "{{.Name}}"])).split("\n");
  expect([networks.includes("kept"), networks.includes("taken")]).toEqual([true, false]);
  expect(await host.ok(["volume", "ls", "-q"])).toBe("");
}, 90_000);
