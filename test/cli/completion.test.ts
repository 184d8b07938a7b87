/** `rt completion`: the words that a real shell offers at a tab. */
import { expect } from "bun:test";
import { resolve } from "node:path";
import { tool } from "../support/root.ts";
import { rtBinary } from "../support/rt.ts";
import { containerTests, image, oneLine, running } from "./world.ts";

const { test, host } = containerTests(["bash"]);

/** As bash does it: it takes the line apart, calls the function, and puts its answers behind the last word break. */
const harness = `
source <(rt completion bash)
line=$1
COMP_LINE=$line COMP_POINT=\${#line}
COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:'
read -ra COMP_WORDS <<<"\${line//[=:]/ & }"
[[ $line == *' ' ]] && COMP_WORDS+=("")
COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
_rt_complete
printf '%s\\n' "\${COMPREPLY[@]}"
`;

async function offered(line: string): Promise<string[]> {
  const path = `${resolve(rtBinary, "..")}:${process.env.PATH}`;
  const bash = Bun.spawn([tool("bash")!, "-c", harness, "bash", line], {
    env: { ...host().env, PATH: path },
    stderr: "pipe",
  });
  const [text, problems] = [await bash.stdout.text(), await bash.stderr.text()];
  expect(problems).toBe("");
  return text.split("\n").filter(Boolean);
}

test("bash: commands, flags, values, and the names that there are", async () => {
  await using one = await running(host());
  await host().ok(["volume", "create", "some-data"]);
  expect(await offered("rt unpa")).toEqual(["unpause"]);
  expect(await offered("rt run --res")).toEqual(["--restart"]);
  expect(await offered("rt run --pull=ne")).toEqual(["never"]);
  expect(await offered("rt stop ")).toEqual([one.name]);
  expect(await offered(`rt volume rm some`)).toEqual(["some-data"]);
  expect(await offered("rt rmi loc")).toEqual([image]);
  await host().ok(["commit", one.name, "team/app:one"]);
  expect(await offered("rt run team/app:o")).toEqual(["one"]);
  expect(await offered("rt nosuch ")).toEqual([]);
  await host().ok(["rmi", "team/app:one"]);
  await host().ok(["volume", "rm", "some-data"]);
});

test("each shell's script is one that it reads", async () => {
  for (const [shell, check] of [
    ["bash", ["bash", "-n"]],
    ["zsh", ["zsh", "-n"]],
    ["fish", ["fish", "--no-execute"]],
  ] as const) {
    const script = await host().ok(["completion", shell]);
    expect(script).toContain("__complete");
    const program = tool(check[0]);
    if (program === undefined) continue; // bash there is
    const checker = Bun.spawn([program, ...check.slice(1), "/dev/stdin"], {
      stdin: Buffer.from(script),
      stderr: "pipe",
    });
    expect([shell, await checker.stderr.text(), await checker.exited]).toEqual([shell, "", 0]);
  }
  const { stderr, code } = await host().rt(["completion", "powershell"]);
  expect({ line: oneLine(stderr), code }).toEqual({
    line: 'invalid shell "powershell": want one of bash, zsh, fish',
    code: 125,
  });
});
