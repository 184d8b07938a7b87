import { isExecutable } from "../base/executable.ts";

/** Where root's programs are: not a word of the user's PATH, in which anything may lie. */
const directories = ["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin", "/run/wrappers/bin"];

export function findProgram(name: string): string | undefined {
  return directories.map((directory) => `${directory}/${name}`).find(isExecutable);
}

/** What a program of the host's says, which is given no variable but a PATH. */
export async function programOutput(
  command: string[],
): Promise<{ status: number; stdout: string; stderr: string }> {
  const env = { PATH: directories.join(":"), LC_ALL: "C" };
  const child = Bun.spawn(command, { env, cwd: "/", stdin: "pipe", stdout: "pipe", stderr: "pipe" });
  void child.stdin.end();
  const [stdout, stderr, status] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    child.exited,
  ]);
  return { status, stdout, stderr };
}
