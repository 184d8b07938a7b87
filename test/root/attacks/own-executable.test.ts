/**
 * Overwriting the engine through /proc/PID/exe (CVE-2019-5736), and taking hold of the process that joins a container
 * (CVE-2016-9962). What a container can see of ours is a sealed copy of the small helper, never dist/rt.
 */
import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { containerTests, image, running } from "../../cli/world.ts";
import { run } from "../../support/command.ts";
import { rtBinary } from "../../support/rt.ts";
import { rounds, soakTimeoutMs } from "../../support/soak.ts";
import { file, hostileImage, symlink } from "./hostile.ts";

const { test, host } = containerTests(["strace", "unshare"]);

function digest(path: string): string {
  return new Bun.CryptoHasher("sha256").update(readFileSync(path)).digest("hex");
}

async function unchanged(attack: () => Promise<void>): Promise<void> {
  const before = digest(rtBinary);
  await attack();
  expect(digest(rtBinary)).toBe(before);
}

const own = ["/proc/self/exe", "/proc/thread-self/exe", "/proc/1/exe"];

test("a container whose program is /proc/self/exe does not start: that is the helper", () =>
  unchanged(async () => {
    for (const path of own) {
      const { stderr, stdout, code } = await host().rt(["run", "--rm", image, path, "init"]);
      expect([stdout, code]).toEqual(["", 126]);
      expect(stderr).toContain(`exec: "${path}": `);
    }
  }));

test("an entrypoint that is a link to /proc/self/exe does not start either", () =>
  unchanged(async () => {
    const linked = await hostileImage(host(), "linked-exe", {
      members: [symlink("entry", "/proc/self/exe"), symlink("bin/program", "../proc/self/exe")],
      config: { Entrypoint: ["/entry"] },
    });
    // By its path it may not be executed; by name, in PATH, it is not even found.
    for (const [flags, wanted] of [
      [[], 126],
      [["--entrypoint", "program"], 127],
    ] as const) {
      const { stdout, code } = await host().rt(["run", "--rm", ...flags, linked]);
      expect([stdout, code]).toEqual(["", wanted]);
    }
  }));

test("exec of /proc/self/exe, straight and through a link", () =>
  unchanged(async () => {
    await using container = await running(host());
    await host().ok(["exec", container.name, "ln", "-s", "/proc/self/exe", "/bin/linked"]);
    for (const path of ["/proc/self/exe", "/bin/linked", "linked"]) {
      const { stdout, code } = await host().rt(["exec", container.name, path]);
      expect([path, stdout, code]).toEqual([path, "", path === "linked" ? 127 : 126]);
    }
  }));

test("a script with #!/proc/self/exe runs the helper as a stranger: it fails, and changes nothing", () =>
  unchanged(async () => {
    const script = await hostileImage(host(), "script-exe", {
      members: [file("entry", "#!/proc/self/exe\n", 0o755)],
    });
    const { code } = await host().rt(["run", "--rm", "-i", script, "/entry"], { stdin: "{}" });
    expect(code).not.toBe(0);
    await using container = await running(host());
    await host().ok([
      "exec",
      container.name,
      "sh",
      "-c",
      "printf '#!/proc/self/exe\\n' > /bin/entry; chmod +x /bin/entry",
    ]);
    const { code: inside } = await host().rt(["exec", container.name, "entry"]);
    expect(inside).not.toBe(0);
  }));

for (const flags of [[], ["--cap-add", "SYS_PTRACE"]]) {
  test(
    `no executable of ours opens for writing while programs are started beside it ${flags.join(" ")}`,
    () =>
      unchanged(async () => {
        await using container = await running(host(), ["probe", "stalk"], flags);
        await container.client.stdout.waitFor("ready");
        for (const _ of rounds(1)) await execMany(container.name, 100);
        expect(container.client.stdout.text).not.toContain("breach");
        // With the right to trace anything the attack is seen to look at the right thing: the helper, not dist/rt.
        for (const [, target] of container.client.stdout.text.matchAll(/^seen \d+ (.*)$/gm)) {
          expect(target).toBe("/memfd:rt-monitor (deleted)");
        }
      }),
    soakTimeoutMs(120_000),
  );
}

test(
  "three hundred execs against a tracer: none of ours can be traced or looked into",
  async () => {
    await using container = await running(host(), ["probe", "stalk"]);
    await container.client.stdout.waitFor("ready");
    for (const _ of rounds(1)) await execMany(container.name, 300);
    expect(container.client.stdout.text).toBe("ready\n");
  },
  soakTimeoutMs(300_000),
);

test("the tracer does find a process that may be traced", async () => {
  await using container = await running(host(), ["probe", "stalk"]);
  await container.client.stdout.waitFor("ready");
  await host().ok(["exec", "-d", container.name, "sleep", "1000"]);
  await container.client.stdout.waitFor("/bin/busybox");
});

/** `rt exec` of a program whose file is the tracer's own, four at a time: whatever else the tracer sees is ours. */
async function execMany(name: string, count: number): Promise<void> {
  const script = `seq ${count} | xargs -P 4 -n 1 sh -c 'timeout -s KILL 20 "$RT" exec "$NAME" probe exit 0 || { echo failed $?; exit 255; }'`;
  const output = await run(["sh", "-c", script], { env: { ...host().env, RT: rtBinary, NAME: name } });
  expect(output).toBe("");
}

test("the helper is sealed: what runs beside the container is a memfd that nobody can write", async () => {
  await using container = await running(host());
  const pid = Number((await host().ok(["inspect", "-f", "{{.State.Pid}}", container.name])).trim());
  const monitor = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]);
  const attempt = Bun.spawnSync(["sh", "-c", `echo x >> /proc/${monitor}/exe`]);
  expect(attempt.exitCode).not.toBe(0);
  const seals = await run([
    "python3",
    "-c",
    `import fcntl;print(fcntl.fcntl(open("/proc/${monitor}/exe"),1034))`,
  ]);
  expect(Number(seals) & 0xf).toBe(0xf);
});

test("it runs where memfds may not be executed (vm.memfd_noexec=2)", async () => {
  const command = 'echo 2 > /proc/sys/vm/memfd_noexec && exec "$RT" run --rm "$IMAGE" echo done';
  const env = { ...host().env, RT: rtBinary, IMAGE: image };
  expect(await run(["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", command], { env })).toBe(
    "done\n",
  );
});
