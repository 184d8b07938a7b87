import { describe, expect, test } from "bun:test";
import { isCdiName, parseCdiName } from "../../../src/settings/cdi-name.ts";
import { parseGpus } from "../../../src/settings/gpus.ts";

describe("--gpus", () => {
  const gpu = (name: string | number) => `nvidia.com/gpu=${name}`;
  test.each([
    ["all", [gpu("all")]],
    ["-1", [gpu("all")]],
    ["count=all", [gpu("all")]],
    ["2", [gpu(0), gpu(1)]],
    ["count=1,capabilities=utility", [gpu(0)]],
    ["device=GPU-8f", [gpu("GPU-8f")]],
    ['"device=0,1:0",capabilities=gpu', [gpu(0), gpu("1:0")]],
    ["device=0,1", [gpu(0), gpu(1)]],
    ['driver=nvidia,"device=0"', [gpu(0)]],
  ])("%s", (text, names) => expect(parseGpus(text)).toEqual(names));
  const wrong = ["", "0", "-2", "x", "1.5", "1,2", "device=", "device=a b", "driver=amd", "count=1,device=2"];
  test.each([...wrong, "1025", "capabilities=gpu", "foo=1", "all\n"])("%j is refused", (text) =>
    expect(() => parseGpus(text)).toThrow(/^invalid --gpus|^--gpus/),
  );
});

describe("names of CDI", () => {
  test("a kind and a device", () => {
    expect(parseCdiName("vendor.com/class=name")).toEqual({ kind: "vendor.com/class", device: "name" });
    expect(parseCdiName("a/b=0")).toEqual({ kind: "a/b", device: "0" });
    expect(parseCdiName("nvidia.com/mig-1g.5gb=GPU-1:0.2")).toMatchObject({ device: "GPU-1:0.2" });
  });
  const wrong = [
    "=",
    "a=b",
    "a/b",
    "a/b=",
    "/b=c",
    "a/=c",
    "1a/b=c",
    "a/b/c=d",
    "a/b=c=d",
    "a_/b=c",
    "a/b=-c",
    "a/b=c\n",
  ];
  test.each(wrong)("%j is refused", (text) => expect(() => parseCdiName(text)).toThrow(/^invalid --device/));
  test("a path with an equals sign is a path", () => {
    expect(["/dev/a=b", "a/b=c", "/dev/a"].map(isCdiName)).toEqual([false, true, false]);
  });
});
