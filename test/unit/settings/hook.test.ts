import { expect, test } from "bun:test";
import {
  type HookDefinition,
  type HookedContainer,
  hookDefinition,
  hooksFor,
  mergeHooks,
} from "../../../src/settings/hook.ts";

const plain = { version: "1.0.0", hook: { path: "/h" }, when: { always: true }, stages: ["prestart"] };
const container: HookedContainer = {
  annotations: { "com.example.department": "fluid-dynamics", other: "x" },
  command: "/usr/lib/systemd/systemd",
  hasBindMounts: true,
};

const definition = (when: object): HookDefinition => hookDefinition({ ...plain, when }, "hook file f");
const isMeant = (when: object, of: Partial<HookedContainer> = {}) =>
  hooksFor([definition(when)], { ...container, ...of }) !== undefined;

test("a definition as podman's manual has it", () => {
  const hook = { path: "/n", args: ["n", "prestart"], env: ["A=b=c"], timeout: 5 };
  const read = hookDefinition({ ...plain, hook, stages: ["prestart", "poststop"] }, "f");
  expect(hooksFor([read], container)).toEqual({ prestart: [hook], poststop: [hook] });
});

test("all conditions must hold, but of commands one", () => {
  expect(isMeant({ always: true })).toBe(true);
  expect(isMeant({ always: false })).toBe(false);
  expect(isMeant({ always: false, commands: ["."] })).toBe(false);
  expect(isMeant({ hasBindMounts: true })).toBe(true);
  expect(isMeant({ hasBindMounts: true }, { hasBindMounts: false })).toBe(false);
  expect(isMeant({ hasBindMounts: false }, { hasBindMounts: false })).toBe(false);
  expect(isMeant({ commands: [".*/init$", ".*/systemd$"] })).toBe(true);
  expect(isMeant({ commands: ["/init$"] })).toBe(false);
  expect(isMeant({ annotations: { "^com\\.example\\.department$": ".*fluid-dynamics$" } })).toBe(true);
  expect(isMeant({ annotations: { "^com\\.example\\.department$": "^x$" } })).toBe(false);
  expect(isMeant({ annotations: { "^com": "", other: "x" } })).toBe(true);
  expect(isMeant({ annotations: { "^com": "", missing: "" } })).toBe(false);
  expect(isMeant({ annotations: { other: "x" }, commands: ["nothing"], always: true })).toBe(false);
});

const mistakes: [object, string][] = [
  [{ version: "0.1.0" }, 'version must be "1.0.0", not "0.1.0"'],
  [{ stages: [] }, "stages must be some of prestart, createRuntime, createContainer"],
  [{ stages: ["prestrt"] }, 'poststop, not "prestrt"'],
  [{ stages: "prestart" }, "stages must be an array of texts"],
  [{ hook: {} }, "hook.path must be an absolute path"],
  [{ hook: { path: "h" } }, "hook.path must be an absolute path"],
  [{ hook: { path: "/h", arg: [] } }, "hook.arg is not known; there are path, args, env, timeout"],
  [{ hook: { path: "/h", timeout: 0 } }, "hook.timeout must be a number of seconds above 0"],
  [{ hook: { path: "/h", env: ["A"] } }, 'hook.env must be texts like "NAME=value"'],
  [{ hook: { path: "/h", args: [1] } }, "hook.args must be an array of texts"],
  [{ hook: [] }, "hook must be an object"],
  [{ when: {} }, "when must have a condition"],
  [{ when: { always: "yes" } }, "when.always must be true or false"],
  [{ when: { commands: ["("] } }, 'when.commands has no regular expression in "("'],
  [{ when: { annotations: { a: "[" } } }, 'when.annotations.a has no regular expression in "["'],
  [{ when: { command: [] } }, "when.command is not known; there are always, annotations"],
  [{ hok: 1 }, "hok is not known; there are version, hook, when, stages"],
];
for (const [mistake, why] of mistakes) {
  test(`a mistake names the file and the field: ${JSON.stringify(mistake)}`, () => {
    const read = () => hookDefinition({ ...plain, ...mistake }, "hook file /etc/h.json");
    expect(read).toThrow(why);
    expect(read).toThrow("hook file /etc/h.json: ");
  });
}

test("no document at all", () => {
  for (const value of [null, 1, [], "x"])
    expect(() => hookDefinition(value, "f")).toThrow("f: it must be an object");
});

test("hooks of a container's devices come before those of the definitions", () => {
  const [a, b, c] = [{ path: "/a" }, { path: "/b" }, { path: "/c" }];
  expect(mergeHooks({ prestart: [a] }, { prestart: [b], poststop: [c] })).toEqual({
    prestart: [a, b],
    poststop: [c],
  });
  expect(mergeHooks(undefined, { poststop: [c] })).toEqual({ poststop: [c] });
  expect(mergeHooks(undefined, undefined)).toBeUndefined();
});
