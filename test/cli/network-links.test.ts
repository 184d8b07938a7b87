/** `--link`: other containers by names of this one's own, as the classic engine had it in the default network. */
import { afterAll, afterEach, expect } from "bun:test";
import { type NetworkHost, networkHost, networkTools } from "../support/network-host.ts";
import { needs } from "../support/root.ts";
import { busyboxHost, image, nothingLeft, oneLine } from "./world.ts";

const { test, beforeAll } = needs({ root: true, tools: ["busybox", "tar", ...networkTools] });

let made: NetworkHost | undefined;
const host = () => made!;

beforeAll(async () => {
  made = await networkHost(await busyboxHost());
}, 120_000);

afterEach(async () => {
  if (made) await nothingLeft(host());
});

afterAll(async () => {
  await made?.[Symbol.asyncDispose]();
});

const sleep = (...flags: string[]) => host().ok(["run", "-d", ...flags, image, "sleep", "1000"]);
const hostsOf = async (name: string) =>
  (await host().ok(["exec", name, "cat", "/etc/hosts"])).split("\n").filter((line) => /^172\./.test(line));

async function failure(...argv: string[]): Promise<string> {
  const { stderr, code } = await host().rt(argv);
  return `${code} ${oneLine(stderr)}`;
}

test("a line in hosts, variables of the environment, and what inspect says", async () => {
  const own = ["-e", "VERSION=15", "-e", "HOME=/x", "--expose", "5432", "--expose", "53/udp"];
  await sleep("--name", "db", "--hostname", "dbhost", "--network", "bridge", ...own);
  const links = ["-e", "STORE_ENV_MINE=1", "--link", "db:the-store", "--link", "db"];
  await sleep("--name", "web", "--network", "bridge", ...links);
  expect((await hostsOf("web")).slice(1)).toEqual([
    "172.17.0.2\tthe-store dbhost db",
    "172.17.0.2\tdb dbhost",
  ]);
  const environment = await host().ok(["exec", "web", "sh", "-c", "tr '\\0' '\\n' < /proc/1/environ"]);
  const linked = environment.split("\n").filter((line) => /^(DB|THE_STORE|STORE)_/.test(line));
  const ports = (prefix: string) => [
    ...[`${prefix}_PORT=udp://172.17.0.2:53`, `${prefix}_PORT_53_UDP=udp://172.17.0.2:53`],
    ...[`${prefix}_PORT_53_UDP_ADDR=172.17.0.2`, `${prefix}_PORT_53_UDP_PORT=53`],
    ...[`${prefix}_PORT_53_UDP_PROTO=udp`, `${prefix}_PORT_5432_TCP=tcp://172.17.0.2:5432`],
    ...[`${prefix}_PORT_5432_TCP_ADDR=172.17.0.2`, `${prefix}_PORT_5432_TCP_PORT=5432`],
    `${prefix}_PORT_5432_TCP_PROTO=tcp`,
  ];
  const said = (prefix: string) => [`${prefix}_ENV_HOSTNAME=dbhost`, `${prefix}_ENV_VERSION=15`];
  expect(linked.sort()).toEqual(
    [
      ...["DB_NAME=/web/db", ...ports("DB"), ...said("DB"), "STORE_ENV_MINE=1"],
      ...["THE_STORE_NAME=/web/the-store", ...ports("THE_STORE"), ...said("THE_STORE")],
    ].sort(),
  );
  const format = "{{json .HostConfig.Links}} {{json .NetworkSettings.Networks.bridge.Links}}";
  expect(await host().ok(["inspect", "-f", format, "web"])).toBe(
    '["/db:/web/the-store","/db:/web/db"] null\n',
  );
  await host().ok(["rename", "db", "moved"]);
  expect(await host().ok(["inspect", "-f", format, "web"])).toContain('["/moved:/web/the-store"');
  await host().ok(["rm", "-f", "moved"]);
  expect(await host().ok(["inspect", "-f", format, "web"])).toBe("null null\n");
  await host().ok(["restart", "-t", "0", "web"]);
  expect(await hostsOf("web")).toHaveLength(1);
  await host().ok(["rm", "-f", "web"]);
});

test("one that is started again and has another address is found there", async () => {
  await sleep("--name", "db", "--network", "bridge");
  await sleep("--name", "web", "--network", "bridge", "--link", "db");
  await host().ok(["exec", "web", "sh", "-c", "echo '192.0.2.9 db' >> /etc/hosts"]);
  const before = (await hostsOf("web"))[1];
  expect(before).toStartWith("172.17.0.2\tdb ");
  await host().ok(["stop", "-t", "0", "db"]);
  await sleep("--name", "other", "--network", "bridge", "--ip", "172.17.0.2");
  await host().ok(["start", "db"]);
  expect(await hostsOf("web")).toEqual([expect.any(String), before!.replace("0.2\t", "0.4\t")]);
  expect(await host().ok(["exec", "web", "tail", "-n", "1", "/etc/hosts"])).toBe("192.0.2.9 db\n");
  await host().ok(["rm", "-f", "web", "db", "other"]);
});

test("whatever one has made of its own files, the one that it is linked to starts", async () => {
  await sleep("--name", "db", "--network", "bridge");
  await sleep("--name", "web", "--network", "bridge", "--link", "db", "--privileged");
  await host().ok(["exec", "web", "mount", "-o", "remount,bind,ro", "/etc/hosts"]);
  await host().ok(["stop", "-t", "0", "db"]);
  const { code, stdout, stderr } = await host().rt(["start", "db"]);
  expect([code, stdout]).toEqual([0, "db\n"]);
  expect(oneLine(stderr)).toContain("container web does not find those that it is linked to");
  await host().ok(["rm", "-f", "web", "db"]);
});

test("with connect, and to what does not run, is not there, or is elsewhere", async () => {
  await host().ok(["network", "create", "lab"]);
  await sleep("--name", "db", "--network", "bridge");
  await sleep("--name", "web", "--network", "lab");
  await host().ok(["network", "connect", "--link", "db:store", "bridge", "web"]);
  expect(await hostsOf("web")).toContainEqual(expect.stringMatching(/^172\.17\.0\.2\tstore \w{12} db$/));
  await host().ok(["network", "disconnect", "bridge", "web"]);
  expect(await hostsOf("web")).toHaveLength(1);
  const run = (...flags: string[]) => failure("run", "--rm", "--name", "xx", ...flags, image, "true");
  expect(await run("--network", "bridge", "--link", "nosuch:y")).toBe(
    "125 could not get container for nosuch: No such container: nosuch",
  );
  expect(await run("--network", "bridge", "--link", "web")).toBe(
    "125 cannot start container xx: Cannot link to /web, as it does not belong to the default network",
  );
  await host().ok(["stop", "-t", "0", "db"]);
  expect(await run("--network", "bridge", "--link", "db:y")).toBe(
    "125 cannot start container xx: Cannot link to a non running container: /db AS /xx/y",
  );
  expect(await failure("network", "connect", "--link", "nosuch", "bridge", "web")).toStartWith(
    "1 could not get container for nosuch",
  );
  expect(await failure("network", "connect", "--link", "db", "bridge", "web")).toBe(
    "1 Cannot link to a non running container: /db AS /web/db",
  );
  // Elsewhere it is a name that is looked up when it is needed.
  await host().ok(["create", "--name", "yy", "--network", "lab", "--link", "nosuch:z", image, "true"]);
  const format = "{{json .HostConfig.Links}} {{json .NetworkSettings.Networks.lab.Links}}";
  expect(await host().ok(["inspect", "-f", format, "yy"])).toBe('null ["nosuch:z"]\n');
  await host().ok(["rm", "-f", "web", "db", "yy"]);
  await host().ok(["network", "rm", "lab"]);
});
