/**
 * A long-lived shell that times commands: the same few lines of bash on the host and inside the tree of peers, so that
 * what the harness costs (a fork, an exec and a wait of bash) is the same for all, and is shown by the row "true".
 *
 *   bench                              bash, pid 1 of a pid and mount namespace of its own
 *     | -- "command\n" on stdin -->      { eval command } >PREFIX.out 2>PREFIX.err </dev/null
 *     | <-- "status micros\n" --------
 *
 * Whatever a command leaves behind (daemon, monitor, mount, loop device) ends with the namespaces: when the bench
 * is done, and also when it is killed, as the shell then reads the end of its input.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { searchPath } from "../support/root.ts";

const script = `
prefix=$1
eval "$2"
echo ready
while IFS= read -r line; do
  { begin=$EPOCHREALTIME; eval "$line"; status=$?; end=$EPOCHREALTIME; } >"$prefix.out" 2>"$prefix.err" </dev/null
  echo "$status $(( \${end/./} - \${begin/./} ))"
done`;

const parents = "/sys/fs/cgroup/docker /sys/fs/cgroup/libpod_parent";

export interface Timed {
  status: number;
  micros: number;
  stdout: string;
  stderr: string;
}

export interface ShellOptions {
  /** For the prefix of its output files. */
  name: string;
  /** Of the host; a tree sees it at /host. */
  scratch: string;
  /** A program that runs a command inside a tree of peers; without it the shell is the host's. */
  enter?: string | undefined;
  /** In a network namespace that is its own. */
  ownNetwork?: boolean;
}

export class Shell implements AsyncDisposable {
  readonly name: string;
  readonly #scratch: string;
  readonly #inTree: boolean;
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #lines: AsyncIterator<string>;

  private constructor(options: ShellOptions) {
    this.name = options.name;
    this.#scratch = options.scratch;
    this.#inTree = options.enter !== undefined;
    // A tree's /run and /tmp are directories of its disk, on a host a tmpfs; /dev/shm is the host's, for podman's locks.
    const places = this.#inTree ? "/run /tmp /dev/shm" : "";
    const prepare = `for place in ${places}; do mount -t tmpfs tmpfs $place || exit; done`;
    const network = options.ownNetwork ? ["--net"] : [];
    const own = ["unshare", "--pid", ...network, "--fork", "--kill-child"];
    const place = options.enter
      ? [options.enter]
      : ["unshare", "--mount", "--propagation=private", "--mount-proc"];
    const bash = ["bash", "-c", script, "bench", this.inside(this.#output), prepare];
    this.#child = Bun.spawn([...own, ...place, ...bash], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
      // Ctrl-C is for the bench, which then takes everything down in order.
      detached: true,
      env: { PATH: searchPath, LC_ALL: "C.UTF-8", HOME: this.inside(this.#scratch), HOSTDIR: this.#scratch },
    });
    this.#lines = linesOf(this.#child.stdout);
  }

  static async start(options: ShellOptions): Promise<Shell> {
    const shell = new Shell(options);
    const { value } = await shell.#lines.next();
    if (value !== "ready")
      throw new Error(`the shell "${options.name}" did not start: ${value ?? "it ended"}`);
    return shell;
  }

  get scratch(): string {
    return this.#scratch;
  }

  /** A path of the scratch directory, as commands of this shell see it. */
  inside(path: string): string {
    return this.#inTree ? path.replace(this.#scratch, "/host") : path;
  }

  get #output(): string {
    return join(this.#scratch, `shell-${this.name}`);
  }

  /** @throws Error when the shell itself ends, or the command takes longer than `timeoutMs`. */
  async time(command: string, timeoutMs = 180_000): Promise<Timed> {
    if (command.includes("\n")) throw new Error(`one line, please: ${command}`);
    this.#child.stdin.write(`${command}\n`);
    this.#child.stdin.flush();
    let timer: Timer | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not within ${timeoutMs} ms: ${command}`)), timeoutMs);
    });
    const { value, done } = await Promise.race([this.#lines.next(), late]).finally(() => clearTimeout(timer));
    const [status, micros] = String(value).split(" ").map(Number);
    if (done || status === undefined || micros === undefined || Number.isNaN(status + micros))
      throw new Error(`the shell "${this.name}" ended at: ${command}`);
    const read = (stream: string) => readFileSync(`${this.#output}.${stream}`, "utf8");
    return { status, micros, stdout: read("out"), stderr: read("err") };
  }

  /** A command that must succeed: its standard output, trimmed. */
  async ok(command: string, timeoutMs?: number): Promise<string> {
    const result = await this.time(command, timeoutMs);
    if (result.status !== 0) {
      const said = (result.stderr || result.stdout).trim().slice(-600);
      throw new Error(`${command} ended with ${result.status}: ${said}`);
    }
    return result.stdout.trim();
  }

  /** Ends the namespaces and all in them at once. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Empty parents that docker and podman leave; a busy one stays.
    if (this.#inTree) await this.time(`find ${parents} -depth -type d -exec rmdir {} +`);
    this.#child.stdin.end();
    await this.#child.exited;
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
