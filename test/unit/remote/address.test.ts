import { expect, test } from "bun:test";
import { engineAddressText, parseEngineAddress } from "../../../src/remote/address.ts";

test.each([
  ["unix:///run/rt/rt.sock", "unix:///run/rt/rt.sock"],
  ["/run/rt.sock", "unix:///run/rt.sock"],
  ["tcp://10.0.0.7:2376", "tcp://10.0.0.7:2376"],
  ["tcp://lab", "tcp://lab:2375"],
  ["lab:99", "tcp://lab:99"],
  ["tcp://[::1]:99", "tcp://[::1]:99"],
  ["ssh://box", "ssh://box"],
  ["ssh://me@box:2222/run/user/1000/rt.sock", "ssh://me@box:2222/run/user/1000/rt.sock"],
])("%s is an address", (text, canonical) => {
  expect(engineAddressText(parseEngineAddress(text, false))).toBe(canonical);
  expect(engineAddressText(parseEngineAddress(canonical, false))).toBe(canonical);
});

test("TLS has a port of its own", () => {
  expect(engineAddressText(parseEngineAddress("tcp://lab", true))).toBe("tcp://lab:2376");
});

test.each([
  "unix://relative",
  "tcp://lab:0",
  "tcp://lab:99999",
  "tcp://lab:2375/path",
  "tcp://user@lab",
  "npipe:////./pipe/x",
  "fd://",
  "ssh://-oProxyCommand=x",
  "ssh://box/a;reboot",
  "unix:///a\nb",
  "tcp://la b",
])("%j is none", (text) => {
  expect(() => parseEngineAddress(text, false)).toThrow(/invalid|names no/);
});
