import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { Elf, PT_DYNAMIC, PT_INTERP, PT_LOAD } from "../../../build/elf.ts";
import { detach, glibc } from "../../../build/glibc.ts";
import { makeStatic, operate } from "../../../build/static.ts";
import { needs } from "../../support/root.ts";
import { scratchDirectory } from "../../support/scratch.ts";

const project = resolve(import.meta.dir, "../../..");
const pageSize = 4096;
/** The first compilation makes the C library too. */
const compileMs = 180_000;
const runtime = glibc(
  { debian: "amd64", interpreter: "/lib64/ld-linux-x86-64.so.2", isHost: process.arch === "x64" },
  join(project, ".build"),
  undefined,
);
const stub = readFileSync(join(project, `.build/linux-${process.arch}/rt-start`));

let directory: string;
/** As the compiler made it. */
let dynamic: string;
/** The same after the surgery. */
let program: string;

beforeAll(() => {
  directory = mkdtempSync(join(scratchDirectory(), "rt-static-"));
  dynamic = compile("dynamic", "-no-pie", "-fno-PIE");
  program = join(directory, "program");
  makeStatic(dynamic, stub, runtime, pageSize, program);
}, compileMs);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function compile(name: string, ...flags: string[]): string {
  const output = join(directory, name);
  const source = join(import.meta.dir, "hello-static.c");
  const zig = join(project, "node_modules/.bin/zig");
  const target = "x86_64-linux-gnu.2.28";
  const cache = { ZIG_GLOBAL_CACHE_DIR: join(project, ".build/zig-cache") };
  const command = [zig, "cc", "-target", target, "-O1", "-w", ...flags, source, "-lm", "-o", output];
  const { exitCode, stderr } = Bun.spawnSync(command, { env: { ...process.env, ...cache } });
  if (exitCode !== 0) throw new Error(stderr.toString());
  return output;
}

function start(command: string[], env: Record<string, string> = {}) {
  const { exitCode, stdout, stderr } = Bun.spawnSync(command, { env });
  return { lines: stdout.toString().trimEnd().split("\n"), stderr: stderr.toString(), exitCode };
}

const having = (lines: string[], word: string) =>
  lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));

test("the kernel sees a static program of as many headers, its segments in order, and its own bytes where they were", () => {
  const before = new Elf(readFileSync(dynamic), "before");
  const after = new Elf(readFileSync(program), "after");
  expect(after.programHeaders.length).toBe(before.programHeaders.length);
  expect([...after.segments(PT_INTERP), ...after.segments(PT_DYNAMIC)]).toEqual([]);
  const addresses = after.segments(PT_LOAD).map(({ address }) => address);
  expect(addresses).toEqual(addresses.toSorted((a, b) => a - b));
  expect(addresses.length).toBe(before.segments(PT_LOAD).length + 2);
  // The header's words for the entry, the table's place and the sections are its own; behind them nothing differs.
  expect(after.bytes.subarray(64, before.bytes.length)).toEqual(before.bytes.subarray(64));
  // What the kernel reads first lies last: a file that is cut short lacks it.
  expect(after.tableOffset + after.programHeaders.length * 56).toBe(after.bytes.length);
});

test("it runs: arguments, threads, thread-local data, libm; the exit status", () => {
  const { lines, exitCode, stderr } = start([program, "one", ""], {});
  expect(stderr).toBe("");
  expect(having(lines, "arg")).toEqual(["one", ""]);
  expect(having(lines, "thread")).toEqual(["7 cos 1.0"]);
  expect(exitCode).toBe(42);
});

test("all that is mapped is its own file, and no descriptor is left", () => {
  const { lines } = start([program]);
  expect(new Set(having(lines, "map"))).toEqual(new Set([program]));
  expect(having(lines, "fd")).toEqual(["0", "1", "2"]);
});

test("of the environment only what rt reads arrives", () => {
  const hostile = {
    BUN_OPTIONS: "x",
    NODE_OPTIONS: "x",
    LD_DEBUG: "all",
    LD_PRELOAD: "/x",
    GLIBC_TUNABLES: "x=y",
    TMPDIR: "/x",
  };
  const { lines, stderr } = start([program], {
    RT_ROOT: "/r",
    ...hostile,
    PATH: "/bin",
    RT_PACKED: "1,2",
    HOME: "/h",
  });
  expect(stderr).toBe("");
  // And what the stub itself tells the runtime.
  expect(having(lines, "env").sort()).toEqual([
    "BUN_JSC_jitMemoryReservationSize=33554432",
    "HOME=/h",
    "PATH=/bin",
    "RT_ROOT=/r",
  ]);
});

test("libraries of the host are not found by name", () => {
  expect(having(start([program]).lines, "library")).toEqual(["not found"]);
  expect(having(start([program], { RT_LIBRARY: "libm.so.6" }).lines, "library")).toEqual(["found"]);
  // As the dynamic program finds it: the name is one that this host has.
  expect(having(start([dynamic], { RT_LIBRARY: "libcrypt.so.1" }).lines, "library")).toEqual(["found"]);
  expect(having(start([program], { RT_LIBRARY: "libcrypt.so.1" }).lines, "library")).toEqual(["not found"]);
});

test("a trailer behind it is told of, with or without other variables", () => {
  const app = join(directory, "app");
  const trailer = Buffer.alloc(24);
  trailer.write("rt-pack2");
  trailer.writeBigUInt64LE(0xffff_ffff_ffff_ffffn, 8);
  trailer.writeBigUInt64LE(7n, 16);
  Bun.spawnSync(["sh", "-c", `cat "$0" - > "$1"`, program, app], { stdin: trailer });
  chmodSync(app, 0o755);
  for (const env of [
    {},
    { RT_PACKED: "1,2" },
    { PATH: "/bin", LD_X: "y" },
    Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`RT_${n}`, "v".repeat(n)])),
  ]) {
    const { lines, exitCode } = start([app, "a"], env);
    expect(having(lines, "env")).toContain("RT_PACKED=18446744073709551615,7");
    expect(having(lines, "arg")).toEqual(["a"]);
    expect(exitCode).toBe(42);
  }
});

test("what follows it without a trailer was an app once: that is said", () => {
  const app = join(directory, "cut-app");
  for (const rest of ["x", "x".repeat(5000), `rt-pack1${"x".repeat(16)}`]) {
    Bun.spawnSync(["sh", "-c", `cat "$0" - > "$1"`, program, app], { stdin: Buffer.from(rest) });
    chmodSync(app, 0o755);
    const { lines, stderr, exitCode } = start([app]);
    expect(stderr).toBe("rt: cannot start: this app is cut short or damaged: copy it again\n");
    expect([lines, exitCode]).toEqual([[""], 125]);
  }
});

test("closed standard streams stay closed", () => {
  const { lines } = start(["sh", "-c", 'exec "$0" <&- 2>&-', program]);
  expect(having(lines, "fd")).toEqual(["1"]);
});

test("a file that is cut short is refused by the kernel; an app cut to its size says so", () => {
  const cut = join(directory, "cut");
  const { length } = readFileSync(program);
  for (const size of [length - 1, readFileSync(dynamic).length + 100, 9000]) {
    copyFileSync(program, cut);
    truncateSync(cut, size);
    expect(() => start([cut])).toThrow("ENOEXEC");
  }
  const app = readFileSync(program);
  app.write("rt-app1", 9, "latin1");
  writeFileSync(cut, app);
  const { stderr, exitCode } = start([cut]);
  expect(stderr).toBe("rt: cannot start: this app is cut short or damaged: copy it again\n");
  expect(exitCode).toBe(125);
});

test("a kernel that is too old is named", () => {
  const { stderr, exitCode } = start(["setarch", "--uname-2.6", program]);
  expect(stderr).toMatch(/^rt: this kernel is Linux 2\.6\.\S+, and rt needs 5\.10 or newer\n$/);
  expect(exitCode).toBe(125);
});

needs({ tools: ["qemu-x86_64"] }).test("a CPU that is too old is named", async () => {
  for (const [cpu, feature] of [
    ["qemu64", "SSE4.2"],
    ["SandyBridge,-avx", "MOVBE"],
  ] as const) {
    const { stderr, exitCode } = start(["qemu-x86_64", "-cpu", cpu, program]);
    expect(
      stderr
        .split("\n")
        .filter((line) => !line.includes("qemu-x86_64: warning"))
        .join("\n"),
    ).toBe(
      `rt: this CPU has no ${feature}, which rt's JavaScript engine needs: it runs on x86-64-v3 (Intel Haswell, AMD Excavator, or newer)\n`,
    );
    expect(exitCode).toBe(125);
  }
});

test("programs and libraries that the surgery does not suit are refused", () => {
  const original = readFileSync(dynamic);
  const attempt =
    (bytes: Uint8Array, changed: Partial<typeof runtime> = {}) =>
    () =>
      operate(bytes, stub, { ...runtime, ...changed }, pageSize);
  expect(attempt(original)).not.toThrow();
  expect(attempt(readFileSync(program))).toThrow("linked statically already");
  expect(attempt(readFileSync(compile("pie", "-pie", "-fPIE")))).toThrow("position independent");
  expect(attempt(new Uint8Array(100))).toThrow("not a 64-bit little-endian ELF file");
  expect(attempt(original, { libraries: new Map() })).toThrow("also needs libm.so.6");
  expect(attempt(original, { interpreter: runtime.libraries.get("libdl.so.2")! })).toThrow("mmap(2)");
});

test("names of the host's files go from a library, and nothing else does", () => {
  const kept = [
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/ld.so.preload",
    "/lib64/ld-linux-x86-64.so.2",
    "Do not use /etc/ld.so.cache\n",
  ];
  const gone = ["/etc/ld.so.cache", "/etc/nsswitch.conf", "/var/run/nscd/socket"];
  const directories = ["/lib/x86_64-linux-gnu/", "/usr/lib/", "/lib64/"];
  const text = (names: string[]) => Buffer.from(`\0${names.join("\0")}\0`, "latin1");
  const join2 = (parts: Buffer[]) => Buffer.concat(parts);
  const result = detach(join2([text(kept), text(gone), text(directories)]));
  expect(
    Buffer.from(result).equals(
      join2([
        text(kept),
        Buffer.alloc(text(gone).length),
        text(["/\x01ib/x86_64-linux-gnu/", "/usr/\x01ib/", "/\x01ib64/"]),
      ]),
    ),
  ).toBe(true);
});
