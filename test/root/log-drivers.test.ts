/** Log drivers other than json-file: what is sent to whom, what is kept in which form, and that no program waits for it. */
import { expect } from "bun:test";
import { createSocket } from "node:dgram";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { containerTests, image, oneLine, statusOf } from "../cli/world.ts";
import { run as tool } from "../support/command.ts";
import { datagramServer } from "../support/datagrams.ts";
import { residentKiB } from "../support/memory.ts";
import { tarpitServer } from "../support/tarpit.ts";
import { until } from "../support/wait.ts";

const { test, host } = containerTests(["unshare", "gzip"]);

const directoryOf = (id: string) => join(host().root, "containers", id);
const idOf = async (name: string) => (await host().ok(["inspect", "-f", "{{.Id}}", name])).trim();
const rt = process.env.RT_BINARY || "dist/rt";
const over = (name: string) => until("it is over", async () => (await statusOf(host(), name)) === "exited");

const longLine = "x".repeat(40_000);
const script = `echo out; echo err >&2; printf '%s\\n' ${longLine}; printf end`;

test("local: lines, parts and streams as they were; rotated, compressed, and counted from the end", async () => {
  await host().rt(["run", "--name", "loc", "--log-driver=local", image, "sh", "-c", script]);
  expect(await host().rt(["logs", "loc"])).toMatchObject({
    ...{ stdout: `out\n${longLine}\nend`, stderr: "err\n", code: 0 },
  });
  expect(await host().ok(["logs", "-n", "1", "loc"])).toBe("end");
  expect(await host().ok(["logs", "-t", "-n", "1", "loc"])).toMatch(/^\d{4}-\S+\.\d{9}Z end$/);
  const id = await idOf("loc");
  expect(readdirSync(directoryOf(id))).toEqual([`${id}-local.log`]);
  expect(await host().ok(["inspect", "-f", "{{.LogPath}}", id])).toBe("\n");
  await host().ok(["rm", "loc"]);
  expect(existsSync(directoryOf(id))).toBe(false);

  const small = ["--log-driver=local", "--log-opt=max-size=16k", "--log-opt=max-file=3"];
  await host().rt(["run", "--name", "small", ...small, image, "seq", "-w", "1", "3000"]);
  const smallId = await idOf("small");
  const compressed = () =>
    readdirSync(directoryOf(smallId))
      .filter((name) => name.endsWith(".gz"))
      .sort();
  await until(
    "it is compressed",
    () => compressed().join() === [1, 2].map((n) => `${smallId}-local.log.${n}.gz`).join(),
  );
  const lines = (await host().ok(["logs", "small"])).split("\n");
  expect(lines.at(-2)).toBe("3000");
  const first = Number(lines[0]);
  expect(lines.slice(0, -1).map(Number)).toEqual(Array.from({ length: 3001 - first }, (_, n) => first + n));
  const last = (await host().ok(["logs", "-n", "900", "small"])).split("\n");
  expect([last.length, last[0]]).toEqual([901, "2101"]);
  await host().ok(["rm", "small"]);
});

test("json-file: rotated files become gzip's, which others read too; one that is cut loses its end alone", async () => {
  const options = ["--log-opt=compress=true", "--log-opt=max-size=16k", "--log-opt=max-file=4"];
  await host().rt(["run", "--name", "gz", ...options, image, "seq", "-w", "1", "800"]);
  const id = await idOf("gz");
  const path = join(directoryOf(id), `${id}-json.log`);
  await until("all are compressed", () =>
    [1, 2, 3].every((n) => existsSync(`${path}.${n}.gz`) && !existsSync(`${path}.${n}`)),
  );
  const all = await host().ok(["logs", "gz"]);
  expect(all.endsWith("799\n800\n")).toBe(true);
  expect(await tool(["gzip", "-dc", `${path}.3.gz`])).toStartWith(`{"log":"${all.slice(0, 3)}`);
  truncateSync(`${path}.2.gz`, 200);
  const { stdout, stderr, code } = await host().rt(["logs", "gz"]);
  expect([oneLine(stderr), code]).toEqual([
    "the log of container gz is damaged: what cannot be read is left out",
    0,
  ]);
  expect(stdout.endsWith("799\n800\n")).toBe(true);
  expect(stdout.length).toBeLessThan(all.length);
  await host().ok(["rm", "gz"]);
});

test("json-file: attributes of labels, variables and the tag", async () => {
  const options = ["tag={{.Name}}/{{.ImageName}}", "labels=app", "env-regex=^V"].flatMap((option) => [
    "--log-opt",
    option,
  ]);
  await host().ok([
    "run",
    "--name",
    "attr",
    "-l",
    "app=<web>",
    "-e",
    "V1=x",
    ...options,
    image,
    "echo",
    "hi",
  ]);
  const id = await idOf("attr");
  expect(readFileSync(join(directoryOf(id), `${id}-json.log`), "utf8")).toStartWith(
    `{"log":"hi\\n","stream":"stdout","attrs":{"V1":"x","app":"\\u003cweb\\u003e","tag":"attr/${image}"},"time":"`,
  );
  expect(await host().ok(["logs", "--details", "attr"])).toBe(
    "V1=x,app=%3Cweb%3E,tag=attr%2Flocalhost%2Flayout hi\n",
  );
  await host().ok(["rm", "attr"]);
});

test("local: what is damaged in the midst is left out, and told of once", async () => {
  await host().rt(["run", "--name", "torn", "--log-driver=local", image, "seq", "-w", "1", "100"]);
  const id = await idOf("torn");
  const path = join(directoryOf(id), `${id}-local.log`);
  const bytes = readFileSync(path);
  const entry = 4 + 9 + 3 + 4;
  for (const [damaged, wanted] of [
    [Buffer.concat([bytes.subarray(0, 10 * entry), bytes.subarray(10 * entry + 5)]), 99],
    [Buffer.concat([bytes.subarray(0, 10 * entry), Buffer.alloc(5000), bytes.subarray(10 * entry)]), 100],
    [bytes.subarray(0, 100 * entry - 3), 99],
    [Buffer.concat([bytes.subarray(0, 50 * entry + 7), bytes.subarray(51 * entry, 99 * entry + 9)]), 98],
    [Buffer.alloc(3000, 0xff), 0],
  ] as const) {
    writeFileSync(path, damaged);
    const { stdout, stderr, code } = await host().rt(["logs", "torn"]);
    expect([stdout.split("\n").length - 1, oneLine(stderr), code]).toEqual([
      wanted,
      "the log of container torn is damaged: what cannot be read is left out",
      0,
    ]);
  }
  await host().ok(["rm", "torn"]);
});

test("json-file: half a line before a whole one, and zeros, take nothing with them", async () => {
  await host().rt(["run", "--name", "half", image, "seq", "1", "3"]);
  const id = await idOf("half");
  const path = join(directoryOf(id), `${id}-json.log`);
  const [one, two, three] = readFileSync(path, "utf8").split("\n");
  writeFileSync(path, `${one!.slice(0, 30)}${two}\n${"\0".repeat(4096)}${three}\nnothing\n{"log":3}\n${one}`);
  const { stdout, stderr } = await host().rt(["logs", "half"]);
  expect([stdout, oneLine(stderr)]).toEqual([
    "2\n3\n1\n",
    "the log of container half is damaged: what cannot be read is left out",
  ]);
  await host().ok(["rm", "half"]);
});

test("journald: a datagram a line with docker's fields; it is kept too, unless that is declined", async () => {
  const socket = join(host().dir, "journal");
  mkdirSync(socket);
  using server = datagramServer(join(socket, "socket"));
  // In a mount namespace of its own, where the journal's directory is ours.
  const inside =
    'mkdir -p /run/systemd/journal && mount --bind "$1" /run/systemd/journal && shift && exec "$@"';
  const before = existsSync("/run/systemd/journal");
  const start = (...words: string[]) =>
    tool(["unshare", "-m", "sh", "-c", inside, "sh", socket, rt, "run", ...words], { env: host().env });
  await start(
    "--name",
    "jour",
    "-l",
    "app=w eb",
    // Of a container's own a stranger decides nothing.
    ...["container-name", "message", "priority", "syslog.identifier"].flatMap((key) => [
      "-l",
      `${key}=forged`,
    ]),
    "--log-driver=journald",
    "--log-opt=labels-regex=.",
    image,
    "sh",
    "-c",
    script,
  );
  const id = await idOf("jour");
  const fields = () => server.received().map((text) => text.split("\n"));
  await until("all has come", () => fields().some((lines) => lines.includes("MESSAGE=end")));
  const own = [
    `CONTAINER_ID=${id.slice(0, 12)}`,
    `CONTAINER_ID_FULL=${id}`,
    "CONTAINER_NAME=jour",
    `CONTAINER_TAG=${id.slice(0, 12)}`,
    `IMAGE_NAME=${image}`,
    `SYSLOG_IDENTIFIER=${id.slice(0, 12)}`,
    "APP=w eb",
  ];
  const come = fields();
  for (const lines of come) expect(lines).toEqual(expect.arrayContaining(own));
  expect(come.flat().filter((line) => line.endsWith("=forged"))).toEqual([]);
  const messages = (priority: number) =>
    come
      .filter((lines) => lines.includes(`PRIORITY=${priority}`))
      .map((lines) => lines.find((line) => line.startsWith("MESSAGE="))!.slice(8));
  expect(messages(3)).toEqual(["err"]);
  expect(messages(6)).toEqual([
    "out",
    longLine.slice(0, 16384),
    longLine.slice(0, 16384),
    longLine.slice(32768),
    "end",
  ]);
  const parts = come.filter((lines) => lines.includes("CONTAINER_PARTIAL_MESSAGE=true"));
  expect(parts.length).toBe(3); // two of the long line, and what has no end
  expect(come.filter((lines) => lines.includes("CONTAINER_PARTIAL_LAST=true")).length).toBe(1);
  expect(await host().rt(["logs", "jour"])).toMatchObject({
    stdout: `out\n${longLine}\nend`,
    stderr: "err\n",
  });
  await start("--name", "none", "--log-driver=journald", "--log-opt=cache-disabled=true", image, "true");
  const refused = await host().rt(["logs", "none"]);
  expect(oneLine(refused.stderr)).toMatch(
    /^configured logging driver does not support reading: journalctl CONTAINER_ID_FULL=/,
  );
  expect(refused.code).toBe(1);
  await host().ok(["rm", "jour", "none"]);
  if (!before) rmSync("/run/systemd/journal", { recursive: true, force: true });
}, 240_000);

test("syslog over a unix socket, UDP and TCP, in each form", async () => {
  const path = join(host().dir, "syslog");
  using server = datagramServer(path);
  const start = (...options: string[]) =>
    host().ok([
      "run",
      "--rm",
      "--name",
      "sys",
      "--log-driver=syslog",
      ...options.flatMap((o) => ["--log-opt", o]),
      image,
      "sh",
      "-c",
      "echo out; echo err >&2",
    ]);
  await start(`syslog-address=unixgram://${path}`, "tag={{.Name}}");
  // A socket of the other kind is taken as it is.
  await start(`syslog-address=unix://${path}`, "syslog-facility=local7", "syslog-format=rfc5424micro");
  const come = await until("all has come", () => server.received().length >= 4 && server.received());
  expect(come[0]).toMatch(/^<30>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d sys\[\d+\]: out\n$/);
  expect(come[1]).toMatch(/^<27>.* sys\[\d+\]: err\n$/);
  expect(come[2]).toMatch(
    /^<190>1 \d{4}-\d\d-\d\dT[\d:]{8}\.\d{6}(Z|[+-]\d\d:\d\d) \S+ (\w{12}) \d+ \2 - out\n$/,
  );

  const udp = createSocket("udp4");
  const messages: string[] = [];
  udp.on("message", (bytes) => messages.push(bytes.toString()));
  await new Promise<void>((resolve) => udp.bind(0, "127.0.0.1", resolve));
  await start(`syslog-address=udp://127.0.0.1:${udp.address().port}`, "syslog-format=rfc3164");
  await until("both have come", () => messages.length === 2);
  expect(messages.join("")).toMatch(/<30>\w+ +\d+ [\d:]+ \S+ \w{12}\[\d+\]: out\n/);
  udp.close();

  let text = "";
  using tcp = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(_, bytes) {
        text += bytes.toString();
      },
    },
  });
  await start(`syslog-address=tcp://localhost:${tcp.port}`);
  await until("both have come", () => text.split("\n").length === 3);
  tcp.stop(true);
});

test("a daemon that is not there is told before the program runs; one that goes loses lines and nothing else", async () => {
  const path = join(host().dir, "gone");
  const words = ["--log-driver=syslog", "--log-opt", `syslog-address=unixgram://${path}`];
  const refused = await host().rt(["run", "--name", "refused", ...words, image, "true"]);
  expect(oneLine(refused.stderr)).toMatch(
    /: initialize logging driver: connect .*gone: No such file or directory/,
  );
  expect(refused.code).toBe(125);
  {
    using server = datagramServer(path);
    await host().ok([
      "run",
      "-d",
      "--name",
      "left",
      ...words,
      image,
      "sh",
      "-c",
      "echo first; while ! test -e /go; do sleep 0.02; done; seq 1 2000",
    ]);
    await until("it has come", () => server.received().length === 1);
  }
  await host().ok(["exec", "left", "touch", "/go"]);
  await over("left");
  const { stdout, stderr } = await host().rt(["logs", "left"]);
  expect(stdout.split("\n").length).toBe(2002);
  expect(oneLine(stderr)).toMatch(/^lines of container left could not be kept or sent on: /);
  expect(await host().ok(["why", "left"])).toContain("  lines of its log were lost: ");
  expect(await host().ok(["inspect", "-f", "{{.State.Error}}", "left"])).toBe("\n");
  await host().ok(["rm", "left"]);
});

test("one that reads nothing holds the program up for a moment, once", async () => {
  const path = join(host().dir, "deaf");
  using _ = datagramServer(path);
  const words = ["--log-driver=syslog", "--log-opt", `syslog-address=unixgram://${path}`];
  // Of a datagram socket's queue that nobody reads: ten or so, and then it is full. A second for each of what is read together, at
  // most 32 KiB, would be forty in all.
  await host().ok([
    "run",
    "-d",
    "--name",
    "deaf",
    ...words,
    image,
    "sh",
    "-c",
    "seq 1 200000; exec sleep 1000",
  ]);
  const id = await idOf("deaf");
  const pid = Number(
    /^monitor (\d+)/m.exec(readFileSync(join(host().state, "containers", id, "pid"), "utf8"))![1],
  );
  const sizes: number[] = [];
  await until(
    "all is kept",
    async () => {
      sizes.push(residentKiB(pid));
      return (await host().rt(["logs", "-n", "1", "deaf"])).stdout === "200000\n";
    },
    30_000,
  );
  expect(Math.max(...sizes, residentKiB(pid))).toBeLessThan(512);
  await host().ok(["rm", "-f", "deaf"]);
});

test("one that takes no more connections, and has ended the one that there was, holds nothing up for long", async () => {
  using tarpit = tarpitServer();
  const words = ["--log-driver=syslog", "--log-opt", `syslog-address=tcp://127.0.0.1:${tarpit.port}`];
  const lines = "echo first; while ! test -e /go; do sleep 0.02; done; seq 1 20000; exec sleep 1000";
  await host().ok(["run", "-d", "--name", "tarpit", ...words, image, "sh", "-c", lines]);
  await until("it has come", () => tarpit.heard());
  tarpit.close();
  await host().ok(["exec", "tarpit", "touch", "/go"]);
  await until(
    "all is kept",
    async () => (await host().rt(["logs", "-n", "1", "tarpit"])).stdout === "20000\n",
    10_000,
  );
  await host().ok(["rm", "-f", "tarpit"]);
});

for (const options of [
  ["--log-driver=json-file", "--log-opt=compress=true"],
  ["--log-driver=local"],
  ["--log-driver=local", "--log-opt=compress=false"],
]) {
  test(`logs -f with ${options.join(" ")}: nothing is missed or repeated while files are rotated`, async () => {
    // Never further ahead of who follows than files are kept, however slow the machine is.
    const directory = join(host().dir, "pace");
    mkdirSync(directory, { recursive: true });
    const seen = (bursts: number) => {
      writeFileSync(join(directory, "seen.new"), `${bursts}`);
      renameSync(join(directory, "seen.new"), join(directory, "seen"));
    };
    seen(0);
    const wait = "while [ $((i - $(cat /pace/seen))) -gt 4 ]; do sleep 0.01; done";
    const paced = `i=0; while [ $i -lt 60 ]; do ${wait}; seq -w $((i*50)) $((i*50+49)); sleep 0.02; i=$((i+1)); done; sleep 0.1`;
    const flags = ["-v", `${directory}:/pace`, "--log-opt=max-size=8k", "--log-opt=max-file=6"];
    await host().ok(["run", "-d", "--name", "flow", ...options, ...flags, image, "sh", "-c", paced]);
    await using follower = host().spawn(["logs", "-f", "flow"]);
    let isOver = false;
    void follower.exited.then(() => (isOver = true));
    const lines = () => follower.stdout.text.split("\n").slice(0, -1);
    await until(
      "it has followed to the end",
      () => {
        seen(Math.floor(lines().length / 50));
        return isOver;
      },
      60_000,
    );
    expect(await follower.exited).toBe(0);
    const numbers = lines().map(Number);
    expect(numbers).toEqual(Array.from({ length: 3000 }, (_, n) => n));
    expect(follower.stderr.text).toBe("");
    await host().ok(["rm", "flow"]);
  });
}
