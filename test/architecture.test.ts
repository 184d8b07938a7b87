/**
 * The rules of the architecture (README, "Architecture"), held by reading the imports of every source file.
 * A violation is printed as "file -> import: rule".
 */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { basename, dirname, join, normalize, resolve } from "node:path";
import { circles } from "./contract/circles.ts";
import { ambiguousNames, exportedNames, underscoredNames } from "./contract/names.ts";
import { allowed, unlisted } from "./contract/path-calls.ts";

const project = resolve(import.meta.dir, "..");

/**
 * The rooms of src from the top to the bottom, and what each may import. A room that does not need another any more loses it
 * here, so this is the picture as it is. (`main.ts` is above all; what only one file of a room may is said in its own rule.)
 */
const rooms: Record<string, string> = {
  cli: "daemon remote engine http docker settings reference base native",
  daemon: "engine http docker settings reference base native",
  remote: "engine peer http docker settings reference oci base",
  engine:
    "app image container log volume network events distribution destination source peer registry content snapshot layer runtime rootless store docker spec settings reference oci base",
  app: "source content reference oci base",
  image: "destination source content snapshot store reference oci base",
  container: "volume store settings oci base",
  volume: "store settings base",
  network: "store native settings base",
  log: "base",
  events: "base",
  runtime: "snapshot oci native base",
  rootless: "native settings base",
  distribution: "oci base",
  destination: "source peer registry content reference oci base",
  source: "peer registry reference oci base",
  peer: "reference oci base",
  registry: "reference oci base",
  content: "store oci native base",
  snapshot: "layer oci native base",
  layer: "oci native base",
  store: "base",
  docker: "settings oci base",
  http: "base",
  spec: "settings oci base",
  settings: "oci base",
  reference: "oci base",
  oci: "base",
  native: "base",
  base: "",
};

/** Who may make system calls of our own. */
const nativeUsers = new Set(["runtime", "rootless", "snapshot", "layer", "network", "content", "native"]);

/** The same for a caller: its descriptors and its terminal; its listeners. */
const callersOwn = new Set(["src/cli/session.ts", "src/daemon/descriptors.ts"]);

/** No I/O: what goes in decides what comes out. */
const pure = new Set(["docker", "oci", "reference", "settings", "spec"]);
const ioModules =
  /^(node:(fs|net|http|https|http2|child_process|dns|dgram|tls|os|process|worker_threads)(\/|$)|(fs|net|child_process)$|bun:(ffi|sqlite)|bun$)/;

interface Import {
  file: string;
  specifier: string;
  typeOnly: boolean;
  /** Loaded with the file, and not only when it is asked for. */
  isStatic: boolean;
}

const sources = [...new Bun.Glob("src/**/*.ts").scanSync(project)]
  .filter((file) => !file.endsWith(".d.ts"))
  .sort();
const texts = new Map(sources.map((file) => [file, readFileSync(join(project, file), "utf8")]));
const imports = sources.flatMap(importsOf);

/** Static, re-exported, dynamic and required ones; the type-only too, as they are dependencies for a reader. */
function importsOf(file: string): Import[] {
  const code = withoutComments(texts.get(file)!);
  const found: Import[] = [];
  const statement = /\b(?:import|export)\s+(type\s+)?(?:[\w*{}\s,$]+?\s+from\s+)?["']([^"'\n]+)["']/g;
  for (const [, type, specifier] of code.matchAll(statement))
    found.push({ file, specifier: specifier!, typeOnly: !!type, isStatic: true });
  const call = /\b(?:import|require)\s*\(\s*["']([^"'\n]+)["']/g;
  for (const [, specifier] of code.matchAll(call))
    found.push({ file, specifier: specifier!, typeOnly: false, isStatic: false });
  return found;
}

function withoutComments(code: string): string {
  return code.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
}

/** "cli" of src/cli/table.ts; "main.ts" of src/main.ts, which stands above all. */
function area(path: string): string {
  return path.split("/")[1] ?? "";
}

/** The file under src that a relative import means; undefined for packages and what lies elsewhere. */
function target(each: Import): string | undefined {
  if (!each.specifier.startsWith(".")) return undefined;
  const path = normalize(join(dirname(each.file), each.specifier));
  return path.startsWith("src/") ? path : undefined;
}

function violations(rule: string, broken: (each: Import) => boolean): string[] {
  return imports.filter(broken).map((each) => `${each.file} -> ${each.specifier}: ${rule}`);
}

test("there is something to look at", () => {
  expect(sources.length).toBeGreaterThan(0);
  expect(imports.length).toBeGreaterThan(0);
});

test("every room of src has its place", () => {
  const found = new Set(sources.map(area).filter((name) => !name.endsWith(".ts")));
  expect([...found].sort()).toEqual(Object.keys(rooms).sort());
});

test("each room imports what it may, and may what it imports; all of it is further down", () => {
  const [names, used] = [Object.keys(rooms), new Set<string>()];
  const broken = violations("not among what this room may import", (each) => {
    const to = target(each);
    const from = area(each.file);
    if (to === undefined || from === area(to) || from.endsWith(".ts")) return false;
    used.add(`${from} ${area(to)}`);
    return !rooms[from]?.split(" ").includes(area(to));
  });
  expect(broken).toEqual([]);
  const granted = names.flatMap((name) =>
    rooms[name]!.split(" ")
      .filter(Boolean)
      .map((to) => `${name} ${to}`),
  );
  expect(granted.filter((pair) => !used.has(pair))).toEqual([]);
  const upward = granted.filter((pair) => {
    const [from, to] = pair.split(" ");
    return names.indexOf(to!) <= names.indexOf(from!);
  });
  expect(upward).toEqual([]);
});

test("cli, daemon and remote know an Engine, and nothing else", () => {
  // `base` is everybody's; what is pure (words, what a container is to be) does nothing by itself; `http` is messages over a connection.
  const pureRooms = new Set(["base", "docker", "http", "oci", "reference", "settings"]);
  const callers: Record<string, RegExp> = {
    // One function opens an engine.
    "src/cli/engine.ts": /^src\/engine\/local\.ts$/,
    "src/cli/elsewhere.ts": /^src\/(remote\/|engine\/local\.ts$)/,
    // Names for engines, and ways to them, are the command line's own.
    "src/cli/context/context-flags.ts": /^src\/remote\/contexts\.ts$/,
    "src/cli/context/create.ts": /^src\/remote\/address\.ts$/,
    "src/cli/system/dial-stdio.ts": /^src\/(remote\/dial|daemon\/daemon)\.ts$/,
    // Files of the caller's own host go into a container and come out of it as they do where the engine is here.
    "src/remote/copy.ts": /^src\/engine\/container\/host-tree\.ts$/,
    "src/remote/ssh.ts": /^src\/peer\//,
    // The caller: its descriptors, its terminal, its signals.
    "src/cli/session.ts": /^src\/native\/system\.ts$/,
    // A listener's: a lock, a socket of systemd's.
    "src/daemon/descriptors.ts": /^src\/native\/system\.ts$/,
    // What only this very process is: a machine's session, an app.
    "src/cli/system/init.ts": /^src\/engine\/(machine|app)\//,
    "src/cli/system/init-plan.ts": /^src\/engine\/machine\//,
    "src/cli/packed-app.ts": /^src\/engine\/app\//,
    "src/cli/image/pack.ts": /^src\/engine\/app\/check\.ts$/,
    // The other caller's process is begun by a command.
    "src/cli/system/daemon.ts": /^src\/daemon\/daemon\.ts$/,
  };
  const direct = violations("cli and daemon call an Engine", (each) => {
    const to = target(each);
    const from = area(each.file);
    if (to === undefined || each.typeOnly || !["cli", "daemon", "remote"].includes(from) || area(to) === from)
      return false;
    return !pureRooms.has(area(to)) && !callers[each.file]?.test(to);
  });
  expect(direct).toEqual([]);
});

/** Files that are wholly the caller's own business, or the runtime's, are above this rule. */
const callersRooms = new Set(["cli", "daemon", "main.ts"]);

test("the engine and all below it use nothing of their caller's but the session", () => {
  const forbidden: [string, RegExp][] = [
    ["a signal of this process", /\bprocess\.(on|once|off|addListener|prependListener)\s*\(/],
    [
      "a standard stream",
      /\bprocess\.(stdin|stdout|stderr)\b|\bBun\.(stdin|stdout|stderr)\b|\bconsole\.(log|error|warn)\(/,
    ],
    [
      "descriptor 0, 1 or 2",
      /\b(writeSync|readSync|writeFileSync|fstatSync|isatty|windowSize)\(\s*[012]\s*[,)]/,
    ],
    ["an inherited standard stream", /["']inherit["']/],
    ["this process's exit", /\bprocess\.(exit|exitCode|abort|kill\(process\.pid)\b/],
  ];
  // leave.ts is how main.ts ends; ffi.ts writes a trace for whoever debugs it; helper.ts hears of the ends of its own children.
  const exempt = new Set(["src/base/leave.ts", "src/native/ffi.ts", "src/native/helper.ts"]);
  const below = sources.filter((file) => !callersRooms.has(area(file)) && !exempt.has(file));
  const found = below.flatMap((file) =>
    forbidden
      .filter(([, pattern]) => pattern.test(withoutComments(texts.get(file)!)))
      .map(([what]) => `${file}: ${what}`),
  );
  expect(found).toEqual([]);
});

test("no synchronous call of the engine or below takes as long as a tree is large", () => {
  const growing = /\b(cpSync|spawnSync|execSync|execFileSync|sleepSync)\b|\brmSync\([^)]*recursive/;
  // SQLite's lock, for the milliseconds of another's transaction.
  const exempt = new Set(["src/store/database.ts"]);
  const below = sources.filter((file) => !callersRooms.has(area(file)) && !exempt.has(file));
  expect(below.filter((file) => growing.test(withoutComments(texts.get(file)!)))).toEqual([]);
  // A tree is removed in this thread up to a number of names only, and by one function.
  const small = sources.filter((file) => /\bremoveSmallTree\b/.test(withoutComments(texts.get(file)!)));
  expect(small).toEqual(["src/layer/tree.ts", "src/native/system.ts"]);
});

test("only runtime, snapshot, layer, network and content use native", () => {
  const users = violations("not a user of native", (each) => {
    const to = target(each);
    const isNative = (to !== undefined && area(to) === "native") || each.specifier.startsWith("#native/");
    // The embedded files are bound to the bundle in base or main; they are bytes, not calls.
    const bytesOnly = each.specifier.startsWith("#native/") && !each.specifier.endsWith(".ts");
    const isUser = nativeUsers.has(area(each.file)) || area(each.file).endsWith(".ts");
    return isNative && !bytesOnly && !isUser && !callersOwn.has(each.file);
  });
  expect(users).toEqual([]);
});

test("the pure directories do no I/O", () => {
  const io = violations("a pure directory does no I/O", (each) => {
    return pure.has(area(each.file)) && !each.typeOnly && ioModules.test(each.specifier);
  });
  const globals = sources
    .filter((file) => pure.has(area(file)))
    .filter((file) =>
      /\b(Bun\.(file|write|spawn|serve|connect|listen)|fetch\(|process\.(env|cwd|getuid))/.test(
        withoutComments(texts.get(file)!),
      ),
    )
    .map((file) => `${file}: uses Bun's or the process's I/O`);
  expect([...io, ...globals]).toEqual([]);
});

/** Every file that is loaded with these, whatever happens then. */
function loadedWith(files: readonly string[]): Set<string> {
  const loaded = new Set(files);
  for (const file of loaded) {
    for (const each of imports) {
      const to = target(each);
      if (each.file === file && each.isStatic && !each.typeOnly && to !== undefined) loaded.add(to);
    }
  }
  return loaded;
}

test("run, exec, kill and rm load nothing of docker", () => {
  const hot = ["run", "exec", "kill", "remove"];
  const start = [
    "src/main.ts",
    ...hot.flatMap((verb) => [`src/cli/container/${verb}.ts`, `src/engine/container/${verb}.ts`]),
  ];
  const loaded = loadedWith([...start, "src/engine/local.ts"]);
  expect([...loaded].filter((file) => area(file) === "docker")).toEqual([]);
  expect(loadedWith(["src/engine/container/inspect.ts"])).toContain("src/docker/container-inspect.ts");
});

test("the public suffix list is loaded where a password is about to go to another host, and only then", () => {
  const users = imports.filter(({ specifier }) => specifier.startsWith("tldts"));
  expect(users.map(({ file }) => file)).toEqual(["src/registry/site.ts"]);
  expect(texts.get("src/registry/site.ts")).toContain('await import("tldts")');
  const above = imports.filter((each) => target(each) === "src/registry/site.ts");
  expect(above.map(({ file }) => file)).toEqual(["src/registry/auth.ts"]);
});

test("the parser of TOML is loaded where a configuration file is there, and only then", () => {
  const users = imports.filter(({ specifier }) => specifier === "smol-toml");
  expect(users.map(({ file }) => file)).toEqual(["src/base/toml.ts"]);
  expect(texts.get("src/base/toml.ts")).toContain('await import("smol-toml")');
});

test("what kind of image a text names is told by kindOf alone", () => {
  const lists = sources.filter((file) =>
    /\boci-archive\b.{0,4}\||\|.{0,4}\bembed\b/.test(withoutComments(texts.get(file)!)),
  );
  expect(lists).toEqual([]);
});

test("src/native/ffi.ts is the only dlopen, zig-native/lib.zig the only exports", () => {
  const opens = sources.filter(
    (file) =>
      file !== "src/native/ffi.ts" && /\bdlopen\s*\(|["']bun:ffi["']/.test(withoutComments(texts.get(file)!)),
  );
  expect(opens).toEqual([]);
  // The prober is a program of its own, and `_start` is its entry.
  const zig = [...new Bun.Glob("zig-native/**/*.zig").scanSync(project)].filter(
    (file) => file !== "zig-native/lib.zig",
  );
  const exporting = zig.filter((file) => {
    const code = readFileSync(join(project, file), "utf8").replace(/^\s*\/\/.*$/gm, "");
    return [...code.matchAll(/\bexport\s+(?:fn|var|const)\s+(\w+)/g)].some(([, name]) => name !== "_start");
  });
  expect(exporting).toEqual([]);
});

test("every system call of zig-native that takes a path is listed with its reason", () => {
  expect(unlisted()).toEqual([]);
  // A new one is found.
  const { mkdirat: _, ...rest } = allowed["layer/copy.zig"]!;
  expect(unlisted({ ...allowed, "layer/copy.zig": rest })).toEqual([
    expect.stringContaining("zig-native/layer/copy.zig: mkdirat is used 1 times, 0 are allowed"),
  ]);
});

test("SQL is in the stores", () => {
  const sql = /["'`\s](SELECT|INSERT|UPDATE|DELETE) [A-Z\w*(]/;
  const files = sources.filter((file) => sql.test(withoutComments(texts.get(file)!)));
  expect(files.filter((file) => area(file) !== "store" && !file.endsWith("-store.ts"))).toEqual([]);
});

test("imports within src name their file, and it exists", () => {
  const missing = violations("no such file", (each) => {
    const to = target(each) ?? "";
    return to.endsWith(".ts") && !texts.has(to) && to !== "src/native/abi.ts" && !to.endsWith(".d.ts");
  });
  const bare = violations(
    "relative imports carry their extension",
    (each) => /^\.\.?\//.test(each.specifier) && !/\.\w+$/.test(each.specifier),
  );
  expect([...missing, ...bare]).toEqual([]);
});

test("no barrel files, no drawers", () => {
  const drawer = /^(index|utils?|misc|common)\.(ts|zig)$/i;
  const others = [...new Bun.Glob("{zig-native,test,build}/**/*.{ts,zig}").scanSync(project)];
  const files = [...sources, ...others.filter((file) => !file.includes("/node_modules/"))];
  expect(files.filter((file) => drawer.test(basename(file)))).toEqual([]);
});

test("no any, no unfinished marks", () => {
  const marks = new RegExp(`\\b(${["TODO", "FIXME", "XXX", "HACK"].join("|")})\\b`);
  const any = /\bas any\b|: any\b|<any>/;
  const found = sources.filter(
    (file) => marks.test(texts.get(file)!) || any.test(withoutComments(texts.get(file)!)),
  );
  expect(found).toEqual([]);
});

test("no circle of imports, those of types alone counted too", () => {
  expect(
    circles(
      new Map([
        ["a", ["b", "x"]],
        ["b", ["c"]],
        ["c", ["d", "b"]],
        ["d", ["a"]],
        ["x", []],
        ["y", ["a"]],
      ]),
    ),
  ).toEqual(["a -> b -> c -> d -> a"]);
  const graph = new Map(sources.map((file) => [file, new Set<string>()]));
  for (const each of imports) {
    const to = target(each);
    if (to !== undefined && graph.has(to)) graph.get(each.file)!.add(to);
  }
  const found = circles(new Map([...graph].map(([file, targets]) => [file, [...targets]])));
  expect(found).toEqual([]);
});

test("one exported name has one meaning", () => {
  const code = `export { a, b as c } from "./x.ts";\nimport { type D, e as f } from "./y.ts";\n`;
  expect(exportedNames(`${code}export type { D };\nexport { f, g as h };\nexport const i = 1;`)).toEqual([
    "i",
    "h",
  ]);
  const bare = sources.map((file) => [file, withoutComments(texts.get(file)!)] as const);
  const two = new Map([
    ["a.ts", "export type X = 1;"],
    ["b.ts", "export class X {}"],
  ]);
  expect(ambiguousNames(two)).toEqual(["X: a.ts, b.ts"]);
  expect(ambiguousNames(new Map(bare))).toEqual([]);
});

test("no name ends in an underscore", () => {
  const code =
    "function while_(a_: string, { b_ }: C_) {}\nimport { d as e_, f_ } from 'g'; /^CAP_/; h(`I_`);";
  expect(underscoredNames(code)).toEqual(["a_", "b_", "e_", "f_", "while_"]);
  const found = sources.flatMap((file) =>
    underscoredNames(withoutComments(texts.get(file)!)).map((name) => `${file}: ${name}`),
  );
  expect(found).toEqual([]);
});
