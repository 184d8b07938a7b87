/** `rt commit`: an image of what a container has, on both drivers, and what it leaves when it is cut short. */
import { expect } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../support/wait.ts";
import { contentOf, snapshotsOf } from "./image-world.ts";
import { containerTests, image, oneLine, running, statusOf } from "./world.ts";

const { test, host } = containerTests();

const script = `
  mkdir -p /new/deep; echo new > /new/deep/file; ln /new/deep/file /new/second; mkfifo /pipe; echo more >> /etc/passwd
  rm /bin/vi; rm -r /home; mkdir -p /home/app; touch -d @1e9 /old; chmod 4755 /old; chown 7:8 /old; ln -s /new /link
  touch /${"n".repeat(255)}
`;
/** Everything but what a start makes. */
const listing = `
  find / -xdev -mindepth 1 ! -path '/proc*' ! -path '/sys*' ! -path '/dev*' ! -path '/etc/[hr]*' ! -path /etc \
    ! -type d -exec stat -c '%n %f %u:%g %s %Y %h %N' {} + | sort
  find / -xdev -mindepth 1 -type d ! -path '/proc*' ! -path '/sys*' ! -path '/dev*' -exec stat -c '%n %f %u:%g' {} + | sort
`;

for (const driver of ["overlay", "copy"]) {
  const env = { RT_STORAGE_DRIVER: driver };
  const rt = async (args: string[]) => host().ok(args, { env });

  test(`${driver}: what runs from the image sees what the container had, and both can be removed`, async () => {
    await rt(["pull", "-q", `oci:${await (await import("../support/images.ts")).busyboxLayout()}`]);
    const before = [contentOf(host()), snapshotsOf(host())];
    mkdirSync(join(host().dir, "shared"), { recursive: true });
    writeFileSync(join(host().dir, "shared/secret"), "");
    const flags = ["--name", "over", "-v", `${host().dir}/shared:/mnt`];
    const had = await rt([
      "run",
      ...flags,
      image,
      "sh",
      "-c",
      `${script} umount /mnt 2>/dev/null; ${listing}`,
    ]);
    const id = (await rt(["commit", "over", "team/over:1"])).trim();
    expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
    const sees = await rt(["run", "--rm", "team/over:1", "sh", "-c", listing]);
    const own = (text: string) => text.split("\n").filter((line) => !/^\/mnt[/ ]/.test(line));
    expect(own(sees)).toEqual(own(had));
    expect(sees).not.toContain("/mnt/secret");
    expect(await rt(["images", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}"])).toContain(
      `${id} team/over:1`,
    );
    expect(await rt(["rmi", "team/over:1"])).toContain(`Deleted: ${id}`);
    await rt(["rm", "over"]);
    expect([contentOf(host()), snapshotsOf(host())]).toEqual(before);
  });
}

async function documents(name: string) {
  const [found] = JSON.parse(await host().ok(["inspect", name]));
  const blob = (digest: string) =>
    JSON.parse(readFileSync(join(host().root, "content/blobs/sha256", digest.slice(7)), "utf8"));
  return { found, config: blob(found.Id) };
}

test("what the image says: the container's settings, changes over them, and history", async () => {
  const flags = ["--name", "over", "-e", "A=1", "-e", "B=2", "-l", "keep=1", "-w", "/tmp", "-u", "app", "-t"];
  await host().ok(["run", ...flags, "-v", "/data", image, "true"]);
  const changes = [
    'CMD ["sh", "-c", "echo $B"]',
    'ENV B="two words" C=$A',
    "LABEL own=x\nEXPOSE 80 53/udp",
    'VOLUME ["/vol"]',
    "WORKDIR sub",
    "ONBUILD RUN make",
    "STOPSIGNAL SIGINT",
    "HEALTHCHECK --interval=30s CMD true",
  ];
  const more = changes.flatMap((each) => ["-c", each]);
  await host().ok(["commit", "-a", "Me <me@x>", "-m", "by hand", ...more, "over", "team/over"]);
  const { found, config } = await documents("team/over");
  expect(found).toMatchObject({ RepoTags: ["team/over:latest"], Author: "Me <me@x>", Comment: "by hand" });
  expect(config.config).toEqual({
    User: "app",
    ExposedPorts: { "80/tcp": {}, "53/udp": {} },
    Env: [expect.stringMatching(/^PATH=/), "A=1", "B=two words", "C=1"],
    Cmd: ["sh", "-c", "echo $B"],
    Volumes: { "/data": {}, "/vol": {} },
    WorkingDir: "/tmp/sub",
    Labels: { keep: "1", own: "x" },
    OnBuild: ["RUN make"],
    StopSignal: "SIGINT",
    Healthcheck: { Interval: 30e9, Test: ["CMD-SHELL", "true"] },
  });
  expect(found.Config).toMatchObject({ OnBuild: ["RUN make"], Labels: { keep: "1", own: "x" } });
  expect(config.history.at(-1)).toMatchObject({
    author: "Me <me@x>",
    comment: "by hand",
    created_by: "true",
  });
  expect(config.rootfs.diff_ids.length).toBe(2);
  expect(await host().ok(["run", "--rm", "team/over"])).toBe("two words\n");
  // One on top of that has its history, and what is not said anew.
  await host().ok(["run", "--name", "again", "team/over", "true"]);
  await host().ok(["commit", "again", "team/over:2"]);
  const second = await documents("team/over:2");
  expect(second.config.rootfs.diff_ids.slice(0, 2)).toEqual(config.rootfs.diff_ids);
  expect(second.config.history.slice(0, -1)).toEqual(config.history);
  expect(second.config.config).toEqual({ ...config.config, Cmd: ["true"], OnBuild: undefined });
  await host().ok(["rm", "-v", "over", "again"]);
  expect((await host().rt(["rmi", "team/over"])).code).toBe(0);
  // What it was made on is not needed for it.
  expect(await host().ok(["run", "--rm", "team/over:2", "true"])).toBe("");
  await host().ok(["rmi", "team/over:2"]);
});

test("a health check that the container was given is the image's", async () => {
  const flags = ["--name", "over", "--health-cmd", "true", "--health-interval", "5s"];
  await host().ok(["run", ...flags, image, "true"]);
  await host().ok(["commit", "over", "team/over"]);
  const { config } = await documents("team/over");
  expect(config.config.Healthcheck).toEqual({ Test: ["CMD-SHELL", "true"], Interval: 5e9 });
  await host().ok(["rm", "over"]);
  await host().ok(["rmi", "team/over"]);
});

test("a running one stands still meanwhile and goes on, unless it need not", async () => {
  const ticking = ["sh", "-c", "while :; do echo tick; sleep 0.01; done"];
  await using container = await running(host(), ticking);
  await container.client.stdout.waitFor("tick");
  for (const [flags, actions] of [
    [[], "pause tag unpause commit"],
    [["--pause=false"], "tag commit"],
    [["-p=false", "-m", "x"], "tag commit"],
  ] as const) {
    const since = String(Date.now() / 1000);
    await host().ok(["commit", ...flags, container.name, "team/ticking"]);
    const told = await host().ok(["events", "--since", since, "--until", "0s", "--format", "{{.Action}}"]);
    expect(told.trim().split("\n").sort()).toEqual(actions.split(" ").sort());
    const ticks = container.client.stdout.text.length;
    await until("it goes on", () => container.client.stdout.text.length > ticks);
  }
  await host().ok(["pause", container.name]);
  await host().ok(["commit", container.name]);
  expect(await statusOf(host(), container.name)).toBe("paused");
  await host().ok(["unpause", container.name]);
  const all = await host().ok(["images", "-q", "--no-trunc", "--filter", "dangling=true"]);
  await host().ok(["rmi", "team/ticking", ...all.trim().split("\n")]);
});

test("killed at any moment: the container goes on, and nothing is left after the next one", async () => {
  const ticking = [
    "sh",
    "-c",
    "dd if=/dev/urandom of=/big bs=1M count=30 2>/dev/null; while :; do echo tick; sleep 0.01; done",
  ];
  await using container = await running(host(), ticking);
  await container.client.stdout.waitFor("tick");
  const before = [contentOf(host()), snapshotsOf(host())];
  for (let delay = 10; delay < 400; delay += 30) {
    await host().ok(["exec", container.name, "sh", "-c", `echo ${delay} > /changed`]);
    const client = host().spawn(["commit", container.name, "team/killed"]);
    await Bun.sleep(delay); // whichever moment that is
    client.kill("SIGKILL");
    await client.exited;
    const status = await statusOf(host(), container.name);
    expect([delay, status]).toEqual([delay, "running"]);
    const ticks = container.client.stdout.text.length;
    await until("it goes on", () => container.client.stdout.text.length > ticks);
  }
  await host().ok(["commit", container.name, "team/killed"]);
  await host().ok(["rmi", "team/killed"]);
  const dangling = await host().ok(["images", "-q", "--filter", "dangling=true"]);
  if (dangling) await host().ok(["rmi", ...dangling.trim().split("\n")]);
  const documents = (list: string[] | undefined) => list!.filter((name) => name.startsWith("blobs/")).length;
  const [content, snapshots] = [contentOf(host()), snapshotsOf(host())];
  expect(content.filter((name) => !name.startsWith("blobs/"))).toEqual([]);
  expect(snapshots).toEqual(before[1]!);
  // Documents without an image are kept for a day, as those of a broken pull are; they are small.
  expect(documents(content)).toBeLessThan(documents(before[0]) + 30);
});

test("what is wrong is said, and nothing is made", async () => {
  await host().ok(["create", "--name", "over", image, "true"]);
  const before = [contentOf(host()), snapshotsOf(host())];
  const wrong: [args: string[], line: RegExp, code: number][] = [
    [["nosuch"], /^No such container: nosuch$/, 1],
    [["over", "UPPER/x:y:z"], /^invalid reference format/, 125],
    [["over", `x@sha256:${"0".repeat(64)}`], /^refusing to create a tag with a digest reference$/, 125],
    [["over", "sha256:ab12"], /^refusing to create an ambiguous tag using digest algorithm as name$/, 125],
    [["-c", "RUN make", "over"], /^RUN is not a valid change command$/, 1],
    [["-c", "FROM x", "over"], /^FROM is not a valid change command$/, 1],
    [["-c", "ENV", "over"], /^ENV requires at least one argument$/, 1],
    [["-c", "ENV a", "over"], /^ENV must have two arguments$/, 1],
    [["-c", "EXPOSE http", "over"], /^invalid containerPort: http$/, 1],
    [["-c", "CMD [1]", "over"], /^When using JSON array syntax/, 1],
    [["-c", "USER", "over"], /^USER requires exactly one argument$/, 1],
    [["-c", "ONBUILD FROM x", "over"], /^FROM isn't allowed as an ONBUILD trigger$/, 1],
  ];
  for (const [args, line, code] of wrong) {
    const { stdout, stderr, code: ended } = await host().rt(["commit", ...args]);
    expect([args, oneLine(stderr)]).toEqual([args, expect.stringMatching(line)]);
    expect({ stdout, ended }).toEqual({ stdout: "", ended: code });
  }
  expect([contentOf(host()), snapshotsOf(host())]).toEqual(before);
  // One that has never run has changed nothing.
  await host().ok(["commit", "over", "team/over"]);
  expect((await documents("team/over")).config.history.at(-1).empty_layer).toBe(true);
  await host().ok(["rm", "over"]);
  await host().ok(["rmi", "team/over"]);
});
