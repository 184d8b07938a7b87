import { expect, test } from "bun:test";
import { egressRule, parseEgress, parseEgressList } from "../../../src/settings/egress.ts";

test.each([
  ["Example.ORG.", { name: "example.org" }],
  ["example.org.:443", { name: "example.org", port: 443 }],
  ["*.example.org:443", { name: "*.example.org", port: 443 }],
  ["db", { name: "db" }],
  ["10.0.0.0/8", { address: "10.0.0.0", prefix: 8 }],
  ["10.1.2.3", { address: "10.1.2.3", prefix: 32 }],
  ["10.1.2.3:53", { address: "10.1.2.3", prefix: 32, port: 53 }],
  ["10.0.0.0/8:53", { address: "10.0.0.0", prefix: 8, port: 53 }],
  ["0.0.0.0/0", { address: "0.0.0.0", prefix: 0 }],
  ["fd00::/8", { address: "fd00::", prefix: 8 }],
  ["2001:db8::1", { address: "2001:db8::1", prefix: 128 }],
  ["::1", { address: "::1", prefix: 128 }],
  ["[2001:db8::1]", { address: "2001:db8::1", prefix: 128 }],
  ["[2001:db8::1]:443", { address: "2001:db8::1", prefix: 128, port: 443 }],
  ["[fd00::]/8:443", { address: "fd00::", prefix: 8, port: 443 }],
  ["[10.0.0.1]:80", { address: "10.0.0.1", prefix: 32, port: 80 }],
])("%s", (text, rule) => {
  const kept = parseEgress(text, "--egress-allow");
  expect(egressRule(kept)).toEqual(rule);
  expect(parseEgress(kept, "--egress-allow")).toBe(kept);
});

test.each([
  ...[
    "",
    "*",
    "*.",
    "a..b",
    "-a",
    "a-",
    "a b",
    "a/8",
    "http://example.org",
    "exa*mple.org",
    "*.*.org",
    "1.2.3",
  ],
  ...[
    "10.0.0.256",
    "10.0.0.0/33",
    "fd00::/129",
    "[example.org]:80",
    "fd00::zz",
    "a:0",
    "a:65536",
    "a:b",
    ":80",
  ],
  ...["example.org\n", "a\u0000b", "a,b", `${"a".repeat(64)}.org`, "[fd00::", "999.1"],
])("%p is none", (text) => {
  expect(() => parseEgress(text, "--egress-allow")).toThrow(/^invalid --egress-allow /);
});

test("a list names each once, and belongs to a container that is in a network", () => {
  expect(parseEgressList(["A", "a", "none"], "shop", "--egress-allow")).toEqual(["a", "none"]);
  expect(() => parseEgressList(["a"], "none", "--egress-allow")).toThrow(
    "conflicting options: --egress-allow and a container that is in no network of its own",
  );
  expect(parseEgressList([], "none", "--egress-allow")).toEqual([]);
});

test("a text of any length is looked at once, and refused", () => {
  expect(() => parseEgress(`${":".repeat(100_000)}x`, "--egress-allow")).toThrow(
    /^invalid --egress-allow .* want NAME/,
  );
});
