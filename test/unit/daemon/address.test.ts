import { expect, test } from "bun:test";
import { isLoopbackHost, parseListenAddress } from "../../../src/daemon/address.ts";

test.each([
  ["unix:///run/rt.sock", { place: { kind: "unix", path: "/run/rt.sock" }, policy: undefined }],
  ["unix:///a?allow=read", { place: { kind: "unix", path: "/a" }, policy: { allow: "read" } }],
  ["fd://?policy=/etc/p.toml", { place: { kind: "fd", which: "" }, policy: { file: "/etc/p.toml" } }],
  ["fd://3", { place: { kind: "fd", which: "3" }, policy: undefined }],
  ["tcp://127.0.0.1:2375", { place: { kind: "tcp", host: "127.0.0.1", port: 2375 }, policy: undefined }],
  ["tcp://[::1]:0", { place: { kind: "tcp", host: "::1", port: 0 }, policy: undefined }],
])("%s is read", (text, address) => {
  expect(parseListenAddress(text)).toEqual(address as never);
});

test.each([
  "unix://run/rt.sock",
  "/run/rt.sock",
  "tcp://:2375",
  "tcp://host:70000",
  "tcp://[nonsense]:1",
  "unix:///a?alow=read",
  "unix:///a?allow=write",
  "unix:///a?allow=read&policy=/x",
  "unix:///a?policy=relative",
  "unix:///a?",
  "npipe:///x",
  "unix:///a\nb",
])("%j is refused, and never without its policy", (text) => {
  expect(() => parseListenAddress(text)).toThrow(/^invalid -H/);
});

test("only what this machine alone reaches is loopback", () => {
  expect(["localhost", "127.9.9.9", "::1"].map(isLoopbackHost)).toEqual([true, true, true]);
  expect(["0.0.0.0", "127.evil.example", "127.0.0.1.example", "::", "10.0.0.1"].some(isLoopbackHost)).toBe(
    false,
  );
});
