/** `rt inspect`: Docker's shape, as scripts read it. */
import { expect } from "bun:test";
import { containerTests, image, oneLine, running } from "./world.ts";

const { test, host } = containerTests();

async function inspect(name: string, format: string): Promise<string> {
  return (await host().ok(["inspect", "-f", format, name])).trimEnd();
}

test("a running container, field by field", async () => {
  const flags = [
    "-e",
    "A=b",
    "-w",
    "/tmp",
    "-u",
    "app",
    "-h",
    "box",
    "--cap-add",
    "NET_ADMIN",
    "--cap-drop",
    "CHOWN",
  ];
  const more = [
    "--ulimit",
    "nofile=10:20",
    "--add-host",
    "db:10.0.0.1",
    "--dns",
    "10.0.0.2",
    "--shm-size",
    "1m",
    "--read-only",
    "--init",
  ];
  await using container = await running(
    host(),
    ["sleep", "1000"],
    [...flags, ...more, "--entrypoint", "env", "-v", "/tmp:/data:ro"],
  );
  const [seen] = JSON.parse(await host().ok(["inspect", container.name]));
  expect(seen).toMatchObject({
    Id: container.id,
    Name: `/${container.name}`,
    Path: "env",
    Args: ["sleep", "1000"],
    State: {
      Status: "running",
      Running: true,
      Paused: false,
      Restarting: false,
      OOMKilled: false,
      Dead: false,
      ExitCode: 0,
      Error: "",
      FinishedAt: "0001-01-01T00:00:00Z",
    },
    Image: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
    RestartCount: 0,
    Platform: "linux",
    HostConfig: {
      NetworkMode: "bridge",
      AutoRemove: false,
      CapAdd: ["CAP_NET_ADMIN"],
      CapDrop: ["CAP_CHOWN"],
      Binds: ["/tmp:/data:ro"],
      Dns: ["10.0.0.2"],
      ExtraHosts: ["db:10.0.0.1"],
      Privileged: false,
      ReadonlyRootfs: true,
      ShmSize: 1 << 20,
      Init: true,
      Ulimits: [{ Name: "nofile", Soft: 10, Hard: 20 }],
      RestartPolicy: { Name: "no", MaximumRetryCount: 0 },
    },
    Mounts: [
      { Type: "bind", Source: "/tmp", Destination: "/data", Mode: "ro", RW: false, Propagation: "rprivate" },
    ],
    Config: {
      Hostname: "box",
      User: "app",
      Tty: false,
      OpenStdin: false,
      Entrypoint: ["env"],
      Cmd: ["sleep", "1000"],
      Image: image,
      WorkingDir: "/tmp",
      StopSignal: "SIGTERM",
    },
  });
  expect(seen.Config.Env).toContain("A=b");
  expect(seen.State.Pid).toBeGreaterThan(1);
  expect(await Bun.file(`/proc/${seen.State.Pid}/comm`).exists()).toBe(true);
  for (const time of [seen.Created, seen.State.StartedAt]) {
    expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z$/);
    expect(Math.abs(Date.parse(time) - Date.now())).toBeLessThan(60_000);
  }
  expect(Date.parse(seen.State.StartedAt)).toBeGreaterThanOrEqual(Date.parse(seen.Created) - 1);
});

test("one that ended: exit status, times, no pid", async () => {
  await host().rt(["run", "--name", "ended", image, "sh", "-c", "exit 42"]);
  expect(
    await inspect("ended", "{{.State.Status}} {{.State.Running}} {{.State.ExitCode}} {{.State.Pid}}"),
  ).toBe("exited false 42 0");
  const [started, finished] = (await inspect("ended", "{{.State.StartedAt}} {{.State.FinishedAt}}"))
    .split(" ")
    .map(Date.parse);
  expect(finished! - started!).toBeGreaterThanOrEqual(0);
  expect(Math.abs(finished! - Date.now())).toBeLessThan(60_000);
  await host().ok(["rm", "ended"]);
});

test("templates that scripts use", async () => {
  await using container = await running(
    host(),
    ["sleep", "1000"],
    ["-l", "a.b=c", "-e", "ONE=1", "-v", "vol-x:/data"],
  );
  const rows: [string, string | RegExp][] = [
    ["{{.Id}}", container.id],
    ["{{.Name}}", `/${container.name}`],
    ["{{ .State.Running }}", "true"],
    ["{{json .Config.Cmd}}", '["sleep","1000"]'],
    ['{{index .Config.Labels "a.b"}}', "c"],
    ["{{range .Mounts}}{{.Name}}:{{.Destination}} {{end}}", "vol-x:/data "],
    ["{{range .Config.Env}}{{println .}}{{end}}", /^ONE=1$/m],
    ["{{len .Mounts}}", "1"],
    ["{{if .State.Running}}up{{else}}down{{end}}", "up"],
    ["{{.HostConfig.NetworkMode}}", "bridge"],
    ["{{range $k, $v := .NetworkSettings.Networks}}{{$k}}{{end}}", "bridge"],
    ['{{join .Config.Cmd " "}}', "sleep 1000"],
  ];
  for (const [format, expected] of rows) {
    const output = (await host().ok(["inspect", "--format", format, container.name])).replace(/\n$/, "");
    if (typeof expected === "string") expect([format, output]).toEqual([format, expected]);
    else expect(output).toMatch(expected);
  }
});

test("what Docker has only where it applies is nothing, and false in a template", async () => {
  await using up = await running(host());
  const shown = async (name: string, template: string) =>
    (await host().ok(["inspect", "-f", template, name])).trimEnd();
  const health = "{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}";
  expect(await shown(up.name, health)).toBe("none");
  expect(
    await shown(up.name, "{{with .Config.Healthcheck}}{{.Test}}{{else}}none{{end}} {{.HostConfig.Memory}}"),
  ).toBe("none 0");
  expect(
    await shown(image, "{{if .Config.OnBuild}}x{{else}}none{{end}}{{if .Config.ExposedPorts}}x{{end}}"),
  ).toBe("none");
  const { stderr, code } = await host().rt(["inspect", "-f", "{{.State.Health.Status}}", up.name]);
  expect([oneLine(stderr), code]).toEqual([expect.stringContaining("nil pointer evaluating"), 1]);
  expect((await host().rt(["inspect", "-f", "{{.State.Helth}}", up.name])).code).toBe(1);
});

test("several at once, containers and images, by name, id and the start of an id", async () => {
  await using container = await running(host());
  const objects = JSON.parse(
    await host().ok(["inspect", container.name, container.id, container.id.slice(0, 8), image]),
  );
  expect(objects.map(({ Id }: { Id: string }) => Id.slice(0, 7))).toEqual([
    ...Array(3).fill(container.id.slice(0, 7)),
    "sha256:",
  ]);
  expect(objects[3]).toMatchObject({ Os: "linux", Config: { Cmd: ["sh"] }, RootFS: { Type: "layers" } });
  expect(objects[3].RepoTags).toEqual(["localhost/layout:latest"]);
});

test("--type, container inspect and image inspect look at one kind only", async () => {
  await using container = await running(host());
  for (const args of [
    ["inspect", "--type", "image", container.name],
    ["image", "inspect", container.name],
    ["container", "inspect", image],
  ]) {
    const { stdout, stderr, code } = await host().rt(args);
    expect([args, code]).toEqual([args, 1]);
    expect(stdout).toBe("[]\n");
    expect(oneLine(stderr)).toMatch(/^no such|^No such/i);
  }
});

test("what is not there: an empty list, one line, exit 1; what is there is shown all the same", async () => {
  const none = await host().rt(["inspect", "nosuch"]);
  expect([none.stdout, oneLine(none.stderr), none.code]).toEqual(["[]\n", "No such object: nosuch", 1]);
  const some = await host().rt(["inspect", "nosuch", image]);
  expect(JSON.parse(some.stdout)).toHaveLength(1);
  expect(some.code).toBe(1);
  const bad = await host().rt(["inspect", "-f", "{{.Nosuch", image]);
  expect(oneLine(bad.stderr)).toMatch(/template|\{\{/);
  expect(bad.code).toBeGreaterThan(0);
});

test("-t and -i show", async () => {
  await using terminal = host().pty(["run", "-it", "--name", "tty", image, "cat"]);
  terminal.type("x\r");
  await terminal.screen.waitFor("x\r\nx");
  expect(await inspect("tty", "{{.Config.Tty}} {{.Config.OpenStdin}}")).toBe("true true");
  terminal.type("\x04");
  await terminal.exited;
  await host().ok(["rm", "tty"]);
});

test("-s: what its own files take, as ps -s has it, and only where it is asked for", async () => {
  await using container = await running(host(), ["sleep", "1000"]);
  const sizes = "{{.SizeRw}} {{.SizeRootFs}}";
  const sized = async () => {
    const words = (await host().ok(["inspect", "-s", "-f", sizes, container.name])).split(" ");
    return words.map(Number);
  };
  const [before, whole] = await sized();
  await host().ok(["exec", container.name, "sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' x >/big"]);
  const [after, wholeAfter] = await sized();
  expect(after! - before!).toBeGreaterThanOrEqual(1_000_000);
  expect(wholeAfter! - whole!).toBe(after! - before!);
  expect(whole).toBeGreaterThan(before!);
  expect((await host().rt(["inspect", "-f", sizes, container.name])).stdout).toBe("<no value> <no value>\n");
});
