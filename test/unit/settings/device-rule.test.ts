import { expect, test } from "bun:test";
import { parseDeviceRule } from "../../../src/settings/device-rule.ts";
import { askedRules } from "../../../src/spec/device-rules.ts";

test("a rule is a kind, two numbers or any, and what may be done", () => {
  expect(parseDeviceRule("c 1:3 rwm")).toEqual({ kind: "c", major: 1, minor: 3, access: "rwm" });
  expect(parseDeviceRule("b *:* r")).toEqual({ kind: "b", access: "r" });
  expect(parseDeviceRule("a 4095:* m")).toEqual({ kind: "a", major: 4095, access: "m" });
  expect(parseDeviceRule("c *:1048575 w")).toEqual({ kind: "c", minor: 1048575, access: "w" });
});

test("what is no rule is refused, by the name of who has said it", () => {
  const wrong = [
    "",
    "c",
    "c 1:3",
    "c 1:3 x",
    "c 1:3 rwmr",
    "d 1:3 r",
    "c 1:3  r",
    " c 1:3 r",
    "c 1:-3 r",
    "c ::1 r",
  ];
  for (const text of [...wrong, "c 4096:1 r", "c 1:1048576 r"]) {
    expect(() => parseDeviceRule(text)).toThrow("--device-cgroup-rule");
    expect(() => parseDeviceRule(text, "HostConfig.DeviceCgroupRules")).toThrow(
      "HostConfig.DeviceCgroupRules",
    );
  }
});

test("only all of everything is everything: v1 would take any rule of kind a for that", () => {
  expect(askedRules(["a *:* wmr"])).toEqual([{ allow: true, access: "rwm" }]);
  expect(askedRules(["a *:* r", "a 1:3 rwm"])).toEqual([
    { allow: true, type: "c", access: "r" },
    { allow: true, type: "b", access: "r" },
    { allow: true, type: "c", major: 1, minor: 3, access: "rwm" },
    { allow: true, type: "b", major: 1, minor: 3, access: "rwm" },
  ]);
});
