/**
 * Text of images, layouts and registries that writes to the terminal, turns lines around, and makes up lines: no command says
 * any of it as it is, in whatever format.
 */
import { expect } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { commands } from "../../src/cli/table.ts";
import { mediaTypes as types } from "../../src/oci/media-types.ts";
import { FakeRegistry, tinyImage } from "../support/fake-registry.ts";
import { type TestHost, testHost } from "../support/host.ts";
import { LayoutWriter } from "../support/layout.ts";
import { probeBinary } from "../support/probe.ts";
import { needs } from "../support/root.ts";
import { rtBinary } from "../support/rt.ts";
import { archive, type Member } from "../support/tar.ts";
import { containerId } from "./world.ts";

const { test } = needs({ root: true });

/** A title, a colour, a cleared line, C1, a line that looks like another's, and characters that hide or turn others. */
const evil =
  "a\u001b]0;owned\u0007\u001b[31m\u001b[2K\r\u009b31m\tb\nfake\u0085line\u202edne\u2066\u200b\u2028\ufeffz";
const acting = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

/** Of what rt itself says; the line ends, and the tabs of a template, are its own. */
function expectHarmless(what: string, output: string, lines?: number): void {
  const bare = output.replaceAll("\n", "");
  expect([what, acting.exec(bare)?.index ?? -1, bare.slice(0, 4000)]).toEqual([
    what,
    -1,
    bare.slice(0, 4000),
  ]);
  if (lines !== undefined) expect([what, output.split("\n").length - 1]).toEqual([what, lines]);
}

const config = {
  Entrypoint: ["/probe"],
  Cmd: ["sleep", evil],
  Env: [`A=${evil}`, `${evil}=x`],
  Labels: { evil, [evil]: "x" },
  User: "0",
  WorkingDir: `/w${evil.replaceAll("\n", "")}`,
  Volumes: { [`/v${evil}`]: {} },
  ExposedPorts: { [evil]: {} },
  Healthcheck: { Test: ["CMD", evil] },
  Shell: [evil],
};

async function evilLayout(host: TestHost, name: string, more: object = {}): Promise<string> {
  const dir = join(host.dir, name);
  const layout = new LayoutWriter(dir);
  const layer = archive({ name: "probe", mode: 0o755, content: readFileSync(await probeBinary()) });
  await layout.image("latest", { layers: [layer], config: { ...config, ...more }, compression: "plain" });
  await layout.close();
  return `oci:${dir}`;
}

const templates = [
  "{{.Config.Labels}}",
  "{{json .Config.Labels}}",
  '{{index .Config.Labels "evil"}}',
  "{{range $k, $v := .Config.Labels}}{{$k}}={{$v}} {{end}}",
  "{{range .Config.Env}}{{.}} {{end}}",
  '{{range .Config.Env}}{{print .}}{{printf "%s %q %v" . . .}}{{html .}}{{upper .}}{{title .}} {{end}}',
  '{{join .Config.Env ", "}} {{index (split (join .Config.Env ",") "=") 1}}',
  '{{with index .Config.Labels "evil"}}{{slice . 0 5}}{{truncate . 7}}{{pad . 1 1}}{{urlquery .}}{{end}}',
  "{{.Config.WorkingDir}}",
  "{{.}}",
];

test("images and containers: every listing, every format", async () => {
  await using host = await testHost();
  expectHarmless("pull", await host.ok(["pull", await evilLayout(host, "evil")]));
  const none = await host.rt(["run", "--name", "evil-c", "-l", "safe=1", "localhost/evil", "ids"]);
  expectHarmless("run", none.stderr);
  for (const args of [["images"], ["images", "--digests", "--no-trunc"], ["images", "--format", "json"]])
    expectHarmless(args.join(" "), await host.ok(args));
  for (const name of ["localhost/evil", "evil-c"]) {
    for (const args of [
      ["inspect", name],
      ["inspect", "-f", "json", name],
    ]) {
      const json = await host.ok(args);
      expectHarmless(args.join(" "), json);
      expect(JSON.parse(json)[0].Config.Labels.evil).toBe(evil);
    }
    for (const template of templates)
      expectHarmless(template, await host.ok(["inspect", "-f", template, name]), 1);
  }
  const listings: [format: string, lines: number][] = [
    ["table", 2],
    ["json", 1],
    ['{{.Labels}}|{{.Label "evil"}}|{{.Command}}|{{.Mounts}}|{{json .}}', 1],
    ["table {{.Labels}}", 2],
  ];
  for (const [format, lines] of listings)
    for (const truncation of [[], ["--no-trunc"]])
      expectHarmless(format, await host.ok(["ps", "-a", ...truncation, "--format", format]), lines);
  const tabs = await host.ok(["ps", "-a", "--format", 'table {{.Names}}\\t{{.Label "evil"}}']);
  expectHarmless("columns", tabs, 2);
  expect(tabs).toContain("\\u001b]0;owned\\u0007");
});

test("a template's own tabs, line ends and colours stay", async () => {
  await using host = await testHost();
  await host.ok(["pull", "-q", await evilLayout(host, "evil", { Env: ["A=1", "B=2"] })]);
  const shown = async (template: string) => await host.ok(["inspect", "-f", template, "localhost/evil"]);
  expect(await shown("{{range .Config.Env}}{{println .}}{{end}}")).toBe("A=1\nB=2\n\n");
  expect(await shown('{{join .Config.Env "\\n"}}')).toBe("A=1\nB=2\n");
  expect(await shown('{{range .Config.Env}}{{.}}{{"\\t"}}{{end}}')).toBe("A=1\tB=2\t\n");
  expect(await shown('{{printf "%s\\n%s" "x" (index .Config.Env 0)}}')).toBe("x\nA=1\n");
  expect(await shown("\u001b[1m{{index .Config.Env 0}}\u001b[0m")).toBe("\u001b[1mA=1\u001b[0m\n");
});

test("what a program of the image is called, and where it is to run, in errors", async () => {
  await using host = await testHost();
  const failing: [name: string, more: object][] = [
    ["entrypoint", { Entrypoint: [`/no${evil}`] }],
    ["user", { User: `no${evil}` }],
    ["signal", { StopSignal: `SIG${evil}` }],
    ["volume", { Volumes: { [`/proc/${evil}`]: {} } }],
  ];
  for (const [name, more] of failing) {
    await host.ok(["pull", "-q", await evilLayout(host, name, more)]);
    const { code, stderr } = await host.rt(["run", "--rm", `localhost/${name}`]);
    expect([name, code]).not.toEqual([name, 0]);
    expectHarmless(name, stderr, 1);
    expectHarmless(`${name} debug`, (await host.rt(["-D", "run", "--rm", `localhost/${name}`])).stderr);
  }
});

test("a running container: every other command that says something of it", async () => {
  await using host = await testHost();
  await host.ok(["pull", "-q", await evilLayout(host, "evil", {})]);
  await using client = host.spawn(["run", "--name", "evil-c", "localhost/evil", "sleep", "1000"]);
  await containerId(host, "evil-c", client);
  const commands: string[][] = [
    ["ps", "-s"],
    ["exec", "evil-c", "/probe", "ids"],
    ["exec", "evil-c", `/no${evil}`],
    ["exec", "-u", `no${evil}`, "evil-c", "/probe"],
    ["exec", "-w", `/no${evil}`, "evil-c", "/probe"],
    ["attach", `no${evil}`],
    ["kill", `no${evil}`],
    ["logs", "evil-c"],
    ["logs", "--since", evil, "evil-c"],
    ["logs", `no${evil}`],
    ["diff", "evil-c"],
    ["diff", `no${evil}`],
    ["cp", `evil-c:/no${evil}`, host.dir],
    ["cp", "evil-c:/probe", join(host.dir, `no${evil}`, evil)],
    ["cp", join(host.dir, evil), "evil-c:/x"],
    ["cp", join(host.dir, "home"), `evil-c:/no${evil}/x`],
    ["export", "-o", join(host.dir, "evil.tar"), "evil-c"],
    ["export", "-o", join(host.dir, `no${evil}`, evil), "evil-c"],
    ["export", `no${evil}`],
    ["completion", `no${evil}`],
    ["__complete", "--", `rt ${evil}`],
    ["__complete", "--", "rt inspect "],
    ["__complete", "--", `rt inspect no${evil}`],
    ["system", "df"],
    ["system", "df", "-v"],
    ["system", "df", "-v", "--format", "json"],
    ["system", "df", "-v", "--format", "{{.Containers}} {{.Images}}"],
    ["system", "check"],
    ["system", "seccomp", "evil-c"],
    ["system", "seccomp", "--json", "evil-c"],
    ["system", "seccomp", `no${evil}`],
    ["run", "--security-opt", `seccomp=no${evil}`, "localhost/evil"],
    ["system", "prune", "-f", "--filter", `label=${evil}`],
    ["system", "prune", "-f", "--filter", `no${evil}=x`],
    ["image", "prune", "-f", "--filter", `label=${evil}`],
    ["image", "prune", "-f", "--filter", `until=${evil}`],
    ["stats", "--no-stream"],
    ["stats", "--no-stream", "--format", "json"],
    ["stats", `no${evil}`],
    ["commit", "-m", evil, "-a", evil, "-c", `LABEL x="${evil}"`, "evil-c", "evil/commit"],
    ["commit", "-c", `NO${evil} x`, "evil-c"],
    ["commit", "-c", `EXPOSE ${evil}`, "evil-c"],
    ["commit", `no${evil}`],
    ["inspect", "evil/commit"],
    ["history", "--no-trunc", "evil/commit"],
    ["history", "--format", "json", "evil/commit"],
    ["history", "--format", "{{.CreatedBy}} {{.Comment}}", "evil/commit"],
    ["history", `no${evil}`],
    ["history", "--platform", `no${evil}`, "evil/commit"],
    ["tag", "evil/commit", `no${evil}`],
    ["tag", `no${evil}`, "x"],
    ["push", `no${evil}`],
    ["push", "evil/commit", `no${evil}`],
    ["push", "evil/commit", `oci:${join(host.dir, `no${evil}`, evil)}:1`],
    ["push", "--compression", evil, "evil/commit", "oci:/nowhere"],
    ["image", "cp", `no${evil}`, "x"],
    ["save", `no${evil}`],
    ["save", "-o", join(host.dir, `no${evil}`, evil), "evil/commit"],
    ["save", "--format", evil, "evil/commit"],
    ["save", "--platform", evil, "evil/commit"],
    ["save", "-o", join(host.dir, "saved.tar"), "evil/commit"],
    ["load", "-i", join(host.dir, "saved.tar")],
    ["load", "-i", join(host.dir, `no${evil}`)],
    ["load", "--platform", evil, "-i", join(host.dir, "saved.tar")],
    ["import", join(host.dir, `no${evil}`)],
    ["import", `http://no${evil}`],
    ["import", "-c", evil, "-", "x"],
    ["import", "-m", evil, "-", `no${evil}`],
    ["untag", "evil/commit", `no${evil}`],
    ["untag", `no${evil}`],
    ["images", "--tree"],
    ["images", "--filter", `until=${evil}`],
    ["image", "inspect", "--platform", `no${evil}`, "evil/commit"],
    ["inspect", "-f", "{{.Comment}} {{.Author}}", "evil/commit"],
    ["rmi", "evil/commit"],
    ["rmi", "localhost/evil"],
    ["rmi", `no${evil}`],
    ["inspect", `no${evil}`],
    ["inspect", "--type", "exec", `no${evil}`],
    ["images", `no${evil}`],
    ["images", "--filter", `label=${evil}`],
    ["images", "--filter", `reference=${evil}`],
    ["ps", "-a", "--filter", `label=${evil}`],
    ["ps", "-a", "--filter", `name=${evil}(`],
    ["pack", "-o", join(host.dir, "app"), "localhost/evil"],
    ["info"],
    ["info", "-f", "json"],
    ["network", "create", `no${evil}`],
    ["network", "create", "--subnet", `no${evil}`, "evil"],
    ["network", "create", "--label", `a=${evil}`, "evil"],
    ["network", "create", "-o", `${evil}=x`, "evil"],
    ["network", "create", "-o", `com.docker.network.bridge.name=${evil}`, "evil"],
    ...["parent", "macvlan_mode", evil].map((option) => [
      ...["network", "create", "-d", "macvlan", "-o", `${option}=x${evil}`, "evil"],
    ]),
    ["network", "create", "-d", `no${evil}`, "evil"],
    ["network", "create", "--aux-address", `a=${evil}`, "evil"],
    ["network", "inspect", `no${evil}`],
    ["network", "rm", `no${evil}`],
    ["network", "connect", `no${evil}`, "web"],
    ["network", "connect", "bridge", `no${evil}`],
    ...["--alias", "--ip", "--ip6", "--link", "--gw-priority", "--mac-address", "--driver-opt"].map(
      (flag) => [...["network", "connect", `${flag}=a${evil}`, "bridge", "web"]],
    ),
    ["network", "disconnect", `no${evil}`, "web"],
    ["network", "disconnect", "-f", `no${evil}`, `no${evil}`],
    ["network", "ls", "--filter", `name=${evil}(`],
    ["run", "--rm", "--network", `no${evil}`, "localhost/evil"],
    ["volume", "create", `no${evil}`],
    ["volume", "inspect", `no${evil}`],
    ["volume", "rm", `no${evil}`],
    ["volume", "ls", "--filter", `name=${evil}(`],
    ["run", "--rm", "--volumes-from", `no${evil}`, "localhost/evil"],
    ["events", "--since", `1h${evil}`],
    ["events", "--since", "1h", "--until", "0s"],
    ["events", "--since", "1h", "--until", "0s", "--format", "json"],
    ["events", "--since", "1h", "--until", "0s", "--format", "{{.Action}} {{.Actor.Attributes}}"],
    ["create", "--name", `no${evil}`, "localhost/evil"],
    ["start", `no${evil}`],
    ["restart", `no${evil}`],
    ["stop", `no${evil}`],
    ["wait", `no${evil}`],
    ["pause", "evil-c", `no${evil}`],
    ["unpause", "evil-c", `no${evil}`],
    ["rename", "evil-c", `no${evil}`],
    ["why", "evil-c"],
    ["why", "--format", "json", "evil-c"],
    ["why", "--format", "{{.headline}} {{.findings}} {{.lastLines}}", "evil-c"],
    ["why", `no${evil}`],
    ["top", "evil-c"],
    ["top", `no${evil}`],
    ["port", `no${evil}`],
    ["port", "evil-c", `8${evil}`],
    ["port", "add", "evil-c", `8080:8${evil}`],
    ["port", "rm", `no${evil}`, "8080:80"],
    ["run", "--rm", "-p", `8${evil}`, "localhost/evil"],
    ["run", "--rm", "--expose", `8${evil}`, "localhost/evil"],
    ["ps", "--filter", `publish=8${evil}`],
    ["update", "--restart", `no${evil}`, "evil-c"],
    ["update", "--bandwidth-up", `1mbit${evil}`, "evil-c"],
    ["run", "--rm", "--network", "bridge", "--bandwidth-down", `1mbit${evil}`, "localhost/evil"],
    ["version", "-f", "json"],
    [`no${evil}`],
    ["run", `--no${evil}`],
    ["run", "--rm", `no${evil}`],
    ...["--network", "--pid", "--ipc", "--uts", "--cgroupns", "--userns"].flatMap((flag) =>
      [`no${evil}`, `container:no${evil}`, "container:no\u202edne", `ns:/no${evil}`, "ns:/no\u202edne"].map(
        (mode) => [...["run", "--rm", flag, mode, "localhost/evil"]],
      ),
    ),
    ...["--uidmap", "--gidmap", "--subuidname", "--subgidname"].flatMap((flag) =>
      [`0:1${evil}`, "no\u202edne"].map((text) => ["run", "--rm", flag, text, "localhost/evil"]),
    ),
    ["run", "--rm", "--userns", `auto:uidmapping=${evil}`, "localhost/evil"],
    ["run", "--rm", "--userns", "auto:no\u202edne=1", "localhost/evil"],
    ["run", "--rm", "--domainname", `no${evil}`, "localhost/evil"],
    ["run", "--rm", "-a", `no${evil}`, "localhost/evil"],
    ...["--memory", "--cpus", "--pids-limit", "--cpuset-cpus", "--cgroup-parent", "--hugetlb-limit"].map(
      (flag) => [...["run", "--rm", flag, `1${evil}`, "localhost/evil"]],
    ),
    ["run", "--rm", "--device-read-bps", `/dev/no${evil}:1m`, "localhost/evil"],
    ["run", "--rm", "--cgroup-conf", `memory.no=${evil}`, "localhost/evil"],
    ["update", "--cpuset-cpus", `1${evil}`, "evil-c"],
    ["update", "--blkio-weight-device", `/dev/no${evil}:10`, "evil-c"],
    ["run", "--rm", "--oom-score-adj", `1${evil}`, "localhost/evil"],
    ["push", "localhost/evil", `oci:${join(host.dir, "pushed")}`],
    ["push", `no${evil}`],
    ["save", "-o", join(host.dir, "saved.tar"), "localhost/evil"],
    ["save", "-o", join(host.dir, "none.tar"), `no${evil}`],
    ["load", "-i", join(host.dir, "saved.tar")],
    ["load", "-i", join(host.dir, `no${evil}`)],
    ["import", join(host.dir, `no${evil}`)],
    ["import", "--change", `CMD ${evil}`, join(host.dir, "saved.tar")],
    ["login", "-u", `no${evil}`, "-p", "x", "127.0.0.1:1"],
    ["login", "-u", "me", "-p", "x", `no${evil}`],
    ["logout", `no${evil}`],
    ["search", `127.0.0.1:1/${evil}`],
    ["search", "--filter", `stars=${evil}`, "x"],
    ["search", `no.${evil}/x`],
    ["manifest", "create", `no${evil}`, "x"],
    ["manifest", "inspect", `no${evil}`],
    ["manifest", "annotate", "--os", evil, "x", "y"],
    ["manifest", "rm", `no${evil}`],
    ["system", "down"],
    ["system", "up"],
    ["rm", "evil-c"],
    ["rm", "-f", "evil-c"],
    ["rmi", "localhost/evil"],
  ];
  for (const args of commands) {
    const { stdout, stderr } = await host.rt(args);
    // The prober's own words are the program's.
    const own = args[0] === "__complete" ? stdout.replaceAll("\t", " ") : stdout;
    expectHarmless(args.join(" "), (args.includes("/probe") ? "" : own) + stderr);
  }
}, 360_000);

test("no command is left out", () => {
  // What init says of containers goes through the same lines; help, unshare and the app that pack makes say nothing of an image,
  // and a daemon says what is in JSON to programs.
  const elsewhere = ["init", "unshare", "daemon"];
  const here = readFileSync(import.meta.path, "utf8");
  const verbs = [...commands.keys()].filter((path) => !path.includes(" ") && !elsewhere.includes(path));
  expect(verbs.filter((verb) => !here.includes(`["${verb}"`))).toEqual([]);
});

test("whose ids are whose: /etc/subuid, the configuration, and an image's files", async () => {
  await using host = await testHost();
  const directory = join(host.dir, "owned");
  const layout = new LayoutWriter(directory);
  const name = `f${evil.replaceAll("\0", "")}`;
  // More than a map of auto may have, and a header of seven digits holds it.
  const layer = archive({ name, content: "", uid: 2_000_000, gid: 2_000_001 });
  await layout.image("latest", { layers: [layer], config, compression: "plain" });
  await layout.close();
  await host.ok(["pull", "-q", `oci:${directory}`]);
  for (const flags of [
    ["--userns", "auto"],
    ["--uidmap", "0:100000:65536"],
  ]) {
    const { code, stdout, stderr } = await host.rt(["create", ...flags, "localhost/owned"]);
    expect([code, stderr]).toEqual([
      125,
      expect.stringMatching(/of the image belongs to (user|group) 200000[01]/),
    ]);
    expectHarmless(flags.join(" "), stdout + stderr, 1);
  }
  const etc = join(host.dir, "etc");
  mkdirSync(etc);
  for (const line of [evil, `${evil.split("\n")[0]}:1:1`, "\u202eweb:1:1", `web:1:${evil}`]) {
    writeFileSync(join(etc, "subuid"), `${line}\n`);
    const script = `mount -t overlay overlay -o lowerdir=${etc}:/etc /etc && exec "$0" "$@"`;
    const command = [rtBinary, "create", "--subuidname", "web", "localhost/owned"];
    const child = Bun.spawn(["unshare", "-m", "sh", "-c", script, ...command], {
      ...{ env: host.env, stdout: "pipe", stderr: "pipe" },
    });
    const [stderr, code] = [await child.stderr.text(), await child.exited];
    // Lines of others are none of web's business.
    const said = line.startsWith("web:") ? "/etc/subuid: line 1: " : '/etc/subuid has no ids for "web"';
    expect([code, stderr]).toEqual([125, expect.stringContaining(said)]);
    expectHarmless(line, stderr, 1);
  }
  const configured = join(host.dir, "config.toml");
  for (const key of ["userns", "userns-ids"]) {
    writeFileSync(configured, `${key} = ${JSON.stringify(`auto:${evil.replaceAll("\n", "")}`)}\n`);
    const { code, stdout, stderr } = await host.rt(["--config", configured, "create", "localhost/owned"]);
    expect(code).toBe(125);
    expectHarmless(key, stdout + stderr, 1);
  }
});

test("what a layout and an archive call things", async () => {
  await using host = await testHost();
  const dir = join(host.dir, "tags");
  const layout = new LayoutWriter(dir);
  const entry = await layout.image(null, { layers: [], config: {} });
  layout.tag(evil, entry);
  layout.tag(`2${evil}`, { ...entry, mediaType: evil, platform: { os: evil, architecture: evil } });
  await layout.close();
  for (const tag of ["", ":none", `:${evil}`, `:2${evil}`]) {
    const { stdout, stderr } = await host.rt(["pull", `oci:${dir}${tag}`]);
    expectHarmless(`pull ${tag}`, stdout + stderr);
  }
});

test("what an archive of any age calls its images, files and layers", async () => {
  await using host = await testHost();
  const id = "a".repeat(64);
  const name = evil.replaceAll("\0", "").slice(0, 40);
  const item = { Config: name, RepoTags: [`a:${evil}`], Layers: [evil] };
  const archives: [what: string, ...members: Member[]][] = [
    ["manifest.json", { name: "manifest.json", content: JSON.stringify([item]) }],
    ["no tag", { name: "manifest.json", content: JSON.stringify([{ ...item, RepoTags: [] }]) }],
    [
      "layers",
      { name, content: "{}" },
      { name: "manifest.json", content: JSON.stringify([{ ...item, RepoTags: [] }]) },
    ],
    ["no manifest.json", { name, content: evil }],
    ["repositories", { name: "repositories", content: JSON.stringify({ [evil]: { [evil]: id } }) }],
    ["an ID", { name: "repositories", content: JSON.stringify({ a: { b: evil } }) }],
    [
      "json",
      { name: `${id}/json`, content: JSON.stringify({ parent: evil, created: evil }) },
      { name: "repositories", content: JSON.stringify({ a: { b: id } }) },
    ],
    [
      "a name",
      { name: `${id}/json`, content: "{}" },
      { name: "repositories", content: JSON.stringify({ [evil]: { b: id } }) },
    ],
  ];
  for (const [what, ...members] of archives) {
    const { code, stdout, stderr } = await host.rt(["load"], { stdin: archive(...members) });
    expect([what, code]).toEqual([what, 125]);
    expectHarmless(what, stdout + stderr, 1);
  }
});

test("what a registry says in its errors, headers and documents", async () => {
  await using host = await testHost();
  await using registry = await FakeRegistry.start();
  // C0 is not allowed in a header, and ends the connection.
  const header = Buffer.from("\u009b31m\u0085x\u202ey\u200b").toString("latin1");
  const name = registry.push("team/app", "1", tinyImage());
  const answers: [what: string, status: number, headers: Record<string, string>, body: string][] = [
    ["error", 404, {}, JSON.stringify({ errors: [{ message: evil }] })],
    ["denied", 403, {}, JSON.stringify({ errors: [{ message: evil }] })],
    ["scheme", 401, { "WWW-Authenticate": `x${header} realm="a"` }, ""],
    ["realm", 401, { "WWW-Authenticate": `Bearer realm="${header}"` }, ""],
    ["redirect", 307, { Location: `ftp://x/${header}` }, ""],
    ["digest", 200, { "Docker-Content-Digest": `sha256:${header}` }, "{}"],
    ["type", 200, { "Content-Type": `text/${header}` }, '{"schemaVersion":2}'],
    ["document", 200, {}, JSON.stringify({ schemaVersion: evil })],
    ["media type", 200, {}, JSON.stringify({ schemaVersion: 2, mediaType: evil })],
    [
      "layer",
      200,
      {},
      JSON.stringify({
        schemaVersion: 2,
        mediaType: types.ociManifest,
        config: { mediaType: types.ociConfig, digest: evil },
      }),
    ],
  ];
  for (const [what, status, headers, body] of answers) {
    registry.once(/manifests/, (_, wire) => wire.reply(status, headers, body));
    const { code, stdout, stderr } = await host.rt(["pull", name]);
    expect([what, code]).toEqual([what, 125]);
    expectHarmless(what, stdout + stderr, 1);
  }
});

test("what a registry finds, and the documents that are shown as they are", async () => {
  await using host = await testHost();
  await using registry = await FakeRegistry.start();
  const results = [{ name: `n${evil}`, description: evil, star_count: 1 }];
  registry.always(/v1.search/, (_, wire) =>
    wire.reply(200, { "Content-Type": "application/json" }, JSON.stringify({ results })),
  );
  for (const [format, lines] of [
    [[], 2],
    [["--no-trunc"], 2],
    [["--format", "json"], 1],
  ] as const) {
    const { code, stdout, stderr } = await host.rt(["search", ...format, `${registry.host}/x`]);
    expect(code).toBe(0);
    expectHarmless(`search ${format.join(" ")}`, stdout + stderr, lines);
  }
  const name = registry.push(
    "team/evil",
    "1",
    tinyImage([Buffer.from("x")], (manifest) => ({ ...manifest, annotations: { [evil]: evil } })),
  );
  for (const flags of [[], ["-v"]]) {
    const { stdout, stderr } = await host.rt(["manifest", "inspect", ...flags, name]);
    expectHarmless(`manifest inspect ${flags.join(" ")}`, stdout.replaceAll("\t", "") + stderr);
    const document = JSON.parse(stdout) as Record<string, Record<string, unknown>>;
    const manifest = document.SchemaV2Manifest ?? document;
    expect(manifest.annotations).toEqual({ [evil]: evil });
  }
});
