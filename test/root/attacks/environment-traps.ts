/** A directory in which everything wants to be loaded, and says "trapped" and ends the program when it is. */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { run } from "../../support/command.ts";
import { fixture } from "../../support/scratch.ts";

export async function setTraps(dir: string): Promise<void> {
  const script = 'process.stderr.write("trapped\\n"); process.exit(66);\n';
  const put = (name: string, text: string) => {
    mkdirSync(join(dir, name, ".."), { recursive: true });
    writeFileSync(join(dir, name), text);
  };
  put("trap.js", script);
  put("trap.cjs", script);
  put(".env", "RT_ROOT=/nonexistent\nRT_DEBUG=1\nNO_COLOR=trapped\nPATH=/nonexistent\n");
  for (const name of [".env.local", ".env.production", ".env.development"])
    put(name, "RT_STATE=/nonexistent\nRT_DEBUG=1\n");
  for (const name of ["bunfig.toml", ".bunfig.toml", "xdg/.bunfig.toml", "home/.bunfig.toml"])
    put(name, `preload = ["${dir}/trap.js"]\nlogLevel = "debug"\n[run]\nbun = true\n`);
  put("tsconfig.json", '{ "extends": "./trap.js", "compilerOptions": { "paths": { "*": ["./trap.js"] } } ');
  put("package.json", '{ "name": "trap", "main": "trap.js", "imports": { "#native/*": "./trap.js" }, ');
  for (const name of ["clipanion", "cbor-x", "cbor-extract", "zstd-napi", "node:fs", "fs"]) {
    put(`node_modules/${name}/index.js`, script);
    put(`node_modules/${name}/package.json`, '{ "main": "index.js" }');
  }
  put(
    "gconv/gconv-modules",
    `module INTERNAL TRAP// ${dir}/trap.so 1\nmodule TRAP// INTERNAL ${dir}/trap.so 1\n`,
  );
  put("ld.so.preload", `${dir}/trap.so\n`);
  put("zoneinfo/UTC", "trap");
  put("config/rt-is-not-here", "");
  mkdirSync(join(dir, "open"), { mode: 0o777 });
  const library = await trapLibrary();
  for (const name of [
    "trap.so",
    "libc.so.6",
    "libm.so.6",
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so",
    "zstd.so",
  ])
    copyFileSync(library, join(dir, name));
}

/** Says that it was loaded, as a preloaded library, an auditor, or in place of glibc: without one, which takes minutes to build. */
async function trapLibrary(): Promise<string> {
  const source = `
    static long call(long number, long a, const char *b, long c) {
      long result;
#ifdef __aarch64__
      register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = (long)b, x2 __asm__("x2") = c;
      __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory"); result = x0;
#else
      __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
#endif
      return result;
    }
#ifdef __aarch64__
    enum { write = 64, leave = 94 };
#else
    enum { write = 1, leave = 231 };
#endif
    __attribute__((constructor)) static void trap(void) { call(write, 2, "trapped\\n", 8); call(leave, 66, 0, 0); }
    unsigned la_version(unsigned version) { trap(); return version; }`;
  const dir = await fixture("trap-library", source, async (into) => {
    const file = join(into, "trap.c");
    writeFileSync(file, source);
    const project = resolve(import.meta.dir, "../../..");
    const zig = join(project, "node_modules/.bin/zig");
    const cache = { ZIG_GLOBAL_CACHE_DIR: join(into, "cache") };
    const target = `${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-none`;
    await run(
      [
        zig,
        "cc",
        "-target",
        target,
        "-nostdlib",
        "-shared",
        "-fPIC",
        "-w",
        file,
        "-o",
        join(into, "trap.so"),
      ],
      {
        env: cache,
      },
    );
    await run(["rm", "-rf", join(into, "cache")]);
  });
  return join(dir, "trap.so");
}
