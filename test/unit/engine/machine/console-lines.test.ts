import { expect, test } from "bun:test";
import { ConsoleLines } from "../../../../src/engine/machine/console-lines.ts";

function lines() {
  let text = "";
  const console = new ConsoleLines("web", (bytes) => {
    text += Buffer.from(bytes).toString();
  });
  return { console, push: (part: string) => console.push(Buffer.from(part)), text: () => text };
}

test("whole lines, each behind the name", () => {
  const { console, push, text } = lines();
  void push("one\ntwo");
  expect(text()).toBe("web | one\n");
  void push(" is whole\n\n");
  expect(text()).toBe("web | one\nweb | two is whole\nweb | \n");
  void push("no end");
  console.end();
  console.end();
  expect(text()).toEndWith("web | no end\n");
});

test("a line that does not end is cut, and nothing of it is lost", () => {
  const { push, text } = lines();
  void push("x".repeat(10_000));
  void push("y\n");
  const parts = text().split("\n");
  expect(parts.map((part) => part.length)).toEqual([4102, 4102, 1815, 0]);
  expect(text().replace(/web \| |\n/g, "")).toBe(`${"x".repeat(10_000)}y`);
});

test("bytes that are no UTF-8 pass as they are", () => {
  const written: number[] = [];
  const console = new ConsoleLines("a", (bytes) => {
    written.push(...bytes);
  });
  void console.push(Uint8Array.of(0xff, 0x9b, 0x0a));
  expect(written).toEqual([...Buffer.from("a | "), 0xff, 0x9b, 0x0a]);
});

test("what a terminal would act upon is shown, and the lines of others stay as they are", () => {
  const { push, text } = lines();
  void push("50%\rrt: status 0: power off\n\x1bc\x1b[2J\x1b[c\x0e\b\x7f\x00\u009b6n\n");
  void push("dos\r\na\ttab, Größe 日本\n");
  expect(text().split("\n")).toEqual([
    "web | 50%\\rrt: status 0: power off",
    "web | \\u001bc\\u001b[2J\\u001b[c\\u000e\\u0008\\u007f\\u0000\\u009b6n",
    "web | dos",
    "web | a\ttab, Größe 日本",
    "",
  ]);
});
