import { dlopen, type FFIFunction, ptr } from "bun:ffi";
import { closeSync, readFileSync } from "node:fs";
import librt from "#native/librt.so" with { type: "file" };
import { codeOfErrno, RtError } from "../base/errors.ts";
import { setLeave } from "../base/leave.ts";
import { errnoTexts } from "../base/linux.ts";
import { declarations, type Exports, hash } from "./abi.ts";

/**
 * The only way from TypeScript into native code. librt.so is read from this executable's own bytes and loaded from a sealed
 * memfd: Bun would unpack it to $TMPDIR, where somebody else may put another one first. What it exports, and with which types,
 * is generated from zig-native/lib.zig.
 *
 * `RT_TRACE=ffi` logs every call and its answer on stderr.
 */

let loaded: Exports | undefined;

/** librt's functions. Loaded at the first call (0.3 ms). */
export function native(): Exports {
  loaded ??= load();
  return loaded;
}

function load(): Exports {
  const fd = bootstrapMemfd(readFileSync(librt));
  const library = dlopen(`/proc/self/fd/${fd}`, declarations as Record<keyof Exports, FFIFunction>);
  closeSync(fd);
  const symbols = library.symbols as unknown as Exports;
  if (symbols.rt_abi_hash() >>> 0 !== hash) {
    throw new RtError("internal", "the native library is not of this build: run `bun build.ts` again");
  }
  setLeave((status) => symbols.rt_exit(status));
  return process.env.RT_TRACE === "ffi" ? traced(symbols) : symbols;
}

/** exit_group(2). A command that has needed nothing of librt does not load it for that: libc is mapped in any case. */
export function exitProcess(status: number): void {
  if (loaded) loaded.rt_exit(status);
  dlopen("libc.so.6", { _exit: { args: ["i32"], returns: "void" } }).symbols._exit(status);
}

/** A Node-API addon out of this executable: as librt, never through a file that somebody could replace. */
export function loadAddon(name: string, bytes: Uint8Array): unknown {
  const fd = check(
    native().rt_sealed_file(cstring(name), bytes, bytes.length, 0, cstring("")),
    `cannot load ${name}`,
  );
  const module = { exports: {} };
  // ld.so knows a library again by its name, and the number may have been librt's: then it would answer with that.
  process.dlopen(module, `/proc/self/fd/./${fd}`);
  closeSync(fd);
  return module.exports;
}

/** A sealed memfd before librt can make one: libc is mapped in this process already. */
function bootstrapMemfd(bytes: Uint8Array): number {
  const libc = dlopen("libc.so.6", {
    memfd_create: { args: ["ptr", "u32"], returns: "i32" },
    write: { args: ["i32", "ptr", "usize"], returns: "i64" },
    fcntl: { args: ["i32", "i32", "i32"], returns: "i32" },
  }).symbols;
  const [closeOnExec, allowSealing, noExecSeal] = [1, 2, 8];
  const [addSeals, sealAll] = [1033, 15];
  const name = cstring("librt");
  // A library is mapped, not executed; before Linux 6.3 the flag that says so is unknown.
  let fd = libc.memfd_create(name, closeOnExec | allowSealing | noExecSeal);
  if (fd < 0) fd = libc.memfd_create(name, closeOnExec | allowSealing);
  const whole = fd >= 0 && Number(libc.write(fd, ptr(bytes), bytes.length)) === bytes.length;
  if (whole && libc.fcntl(fd, addSeals, sealAll) === 0) return fd;
  throw new RtError("unsupported", "cannot load the native library: memfd_create(2) does not work here");
}

function traced(symbols: Exports): Exports {
  const entries = Object.entries(symbols).map(([name, call]) => [
    name,
    (...args: unknown[]) => {
      const result = call(...args);
      process.stderr.write(`ffi ${name}(${args.map(shown).join(", ")}) = ${result}\n`);
      return result;
    },
  ]);
  return Object.fromEntries(entries) as unknown as Exports;
}

function shown(argument: unknown): string {
  return ArrayBuffer.isView(argument) ? `[${argument.byteLength} bytes]` : String(argument);
}

/** Pointer to `text` with a NUL behind it. Keep the returned buffer alive over the call by passing it on directly. */
export function cstring(text: string): Buffer {
  if (text.includes("\0")) throw new RtError("invalid-argument", `${JSON.stringify(text)} contains a NUL`);
  return Buffer.from(`${text}\0`);
}

/** @throws RtError with the errno's class when `result` is a negative errno. */
export function check(result: number, what: string): number {
  if (result >= 0) return result;
  const name = errnoName(-result);
  throw new RtError(codeOfErrno(name), `${what}: ${describeErrno(name)}`);
}

export function errnoName(errno: number): string {
  // Only when something failed: node:os is not on the way of a run.
  const { constants } = require("node:os") as typeof import("node:os");
  // Of two names for one number the other comes first there.
  if (errno === constants.errno.EOPNOTSUPP) return "EOPNOTSUPP";
  for (const [name, number] of Object.entries(constants.errno)) if (number === errno) return name;
  return `errno ${errno}`;
}

/** "Operation not permitted (EPERM)". */
export function describeErrno(name: string): string {
  const text = errnoTexts[name];
  return text ? `${text[0]!.toUpperCase()}${text.slice(1)} (${name})` : name;
}
