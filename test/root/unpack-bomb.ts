/**
 * Unpacks a bomb under a limit, and prints how it ended and what it took: `bun unpack-bomb.ts overlay|copy BLOB LIMIT`
 * Answers {"code","message","engineBytes","helperBytes"} as JSON: peaks of resident memory.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { RtError } from "../../src/base/errors.ts";
import { type DriverName, sha256, workbench } from "../contract/bench.ts";

const [driver, blob, limit] = process.argv.slice(2) as [DriverName, string, string];
await using bench = workbench(driver);
let helperBytes = 0;
const timer = setInterval(() => {
  helperBytes = Math.max(helperBytes, ...childrenPeaks());
}, 5);
const size = statSync(blob).size;
const source = {
  mediaType: "",
  path: blob,
  more: () => Promise.resolve({ size, done: true }),
};
const diffID = sha256(new Uint8Array());
const error = await bench.driver
  .unpack({
    chain: diffID,
    parents: [],
    diffID,
    source,
    parentReady: Promise.resolve(),
    sizeMax: Number(limit),
  })
  .then(
    () => new Error("it was unpacked"),
    (caught: unknown) => caught as Error,
  );
clearInterval(timer);
const code = error instanceof RtError ? error.code : "none";
// Not ru_maxrss: that begins at what the process that started us had.
const engineBytes = peak("self");
const left = bench.leftovers();
console.log(JSON.stringify({ code, message: error.message, engineBytes, helperBytes, left }));

function childrenPeaks(): number[] {
  return readdirSync("/proc/self/task").flatMap((task) => {
    const pids = read(`/proc/self/task/${task}/children`).split(" ").filter(Boolean);
    return pids.map(peak);
  });
}

function peak(pid: string): number {
  return Number(read(`/proc/${pid}/status`).match(/VmHWM:\s+(\d+)/)?.[1] ?? 0) * 1024;
}

/** "" where a process or a thread has ended meanwhile. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes((error as { code?: string }).code ?? "")) return "";
    throw error;
  }
}
