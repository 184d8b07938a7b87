import { expect, test } from "bun:test";
import { parseMountOptions } from "../../../src/runtime/mount-options.ts";

const [readonly, nosuid, noexec, strictatime, atimes] = [0x01, 0x02, 0x08, 0x20, 0x70];
const [unbindable, slave, shared] = [1 << 17, 1 << 19, 1 << 20];
const nothing = parseMountOptions([]);

test("options are sorted by what they mean", () => {
  const options = ["nosuid", "noexec", "mode=755", "size=65536k", "ro", "newinstance", "strictatime"];
  expect(parseMountOptions(options)).toEqual({
    ...nothing,
    set: nosuid | noexec | readonly | strictatime,
    clear: atimes,
    data: ["mode=755", "size=65536k", "newinstance"],
  });
});

test("bind, propagation; later options win, and those of fstab mean nothing", () => {
  expect(parseMountOptions(["rbind", "bind", "ro", "rw", "rslave", "defaults", "nofail"])).toEqual({
    ...nothing,
    ...{ bind: true, recursive: true, clear: readonly, propagation: slave, propagationRecursive: true },
  });
  expect(parseMountOptions(["bind", "rro", "unbindable", "shared"])).toEqual({
    ...nothing,
    ...{ bind: true, setRecursive: readonly, propagation: shared },
  });
  expect(parseMountOptions(["unbindable", "noatime", "relatime"])).toEqual({
    ...nothing,
    ...{ clear: atimes, propagation: unbindable },
  });
});

test("a name that every object has is no option", () => {
  const odd = ["constructor", "rconstructor", "__proto__", "r", ""];
  expect(parseMountOptions(odd)).toEqual({ ...nothing, data: odd });
});
