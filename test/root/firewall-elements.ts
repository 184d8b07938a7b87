/** A program of firewall-elements.test.ts, in a network namespace of its own: prints nft's view after each step. */
import { readdirSync, readFileSync } from "node:fs";
import { changeElements, replaceTable } from "../../src/network/netlink.ts";
import { until } from "../support/wait.ts";

const portKey = (port: number) => [127, 0, 0, 1, 17, 0, 0, 0, 0, port, 0, 0];
const port = (number: number) => ({ key: portKey(number), data: [10, 0, 0, 2, 0, number, 0, 0] });
const service = (7 << 12) | (12 << 6) | 13;

/** Of this network namespace, to netfilter: we are alone in it. */
function openSockets(): number {
  const netfilter = 12;
  const lines = readFileSync("/proc/net/netlink", "utf8").trim().split("\n").slice(1);
  // The kernel has one of its own.
  return lines.filter((line) => Number(line.split(/\s+/)[1]) === netfilter).length - 1;
}

function show(what: string): void {
  const { stdout, stderr } = Bun.spawnSync(["nft", "list", "ruleset"]);
  process.stdout.write(`# ${what}\n${stdout}${stderr}`);
}

function attempt(changes: Parameters<typeof changeElements>[0]): void {
  try {
    changeElements(changes);
  } catch (error) {
    process.stdout.write(`${(error as { code: string }).code}\n`);
  }
}

replaceTable({
  ...{ family: 2, name: "t", comment: "c" },
  sets: [
    {
      ...{ name: "ports", type: service, bytes: 12, order: 0 },
      data: { type: (7 << 6) | 13, bytes: 8, order: 0 },
      elements: [port(80)],
    },
    {
      ...{ name: "ranges", type: service, bytes: 12, order: 0, timeout_ms: 0 },
      ...{ isInterval: true, fields: [4, 1, 2] },
      elements: [
        { key: [10, 0, 0, 0, 6, 0, 0, 0, 0, 80, 0, 0], end: [10, 255, 255, 255, 6, 0, 0, 0, 0, 99, 0, 0] },
      ],
    },
    {
      ...{ name: "seen", type: 7, bytes: 4, order: 0, isDynamic: true, timeout_ms: 60_000, size_max: 100 },
      elements: [],
    },
  ],
  chains: [
    {
      ...{ name: "in", type: "nat", hook: 0, priority: -100 },
      rules: [
        [
          { fib: { register: 1, result: 3, flags: 2 } },
          { compare: { register: 1, operation: 0, value: [2, 0, 0, 0] } },
          { payload: { base: 1, offset: 16, bytes: 4, register: 1 } },
          { meta: { key: 16, register: 9 } },
          { payload: { base: 2, offset: 2, bytes: 2, register: 10 } },
          { lookup: { register: 1, set: "ports", into: 1 } },
          { nat: { kind: 1, family: 2, address: 1, port: 9 } },
        ],
      ],
    },
    {
      ...{ name: "out", hook: 2, priority: 0 },
      rules: [
        [{ verdict: { code: -3, chain: "aside" } }],
        [{ counter: {} }, { reject: { kind: 2, code: 3 } }],
      ],
    },
    {
      ...{ name: "raw", hook: 0, priority: -300 },
      rules: [
        [{ untrack: {} }],
        [{ immediate: { register: 1, value: [1, 0, 0, 0] } }, { meta: { key: 3, register: 1, set: true } }],
      ],
    },
    {
      name: "aside",
      rules: [
        [
          { payload: { base: 1, offset: 12, bytes: 4, register: 1 } },
          { dynset: { set: "seen", operation: 1, register: 1, timeout_ms: 5000 } },
        ],
        [
          { payload: { base: 1, offset: 16, bytes: 4, register: 8 } },
          { meta: { key: 16, register: 9 } },
          { payload: { base: 2, offset: 2, bytes: 2, register: 10 } },
          { lookup: { register: 8, set: "ranges", isAbsent: true } },
          { meta: { key: 16, register: 1 } },
          { compare: { register: 1, operation: 0, value: [6] } },
          { reject: { kind: 1 } },
        ],
        [
          { meta: { key: 16, register: 1 } },
          { compare: { register: 1, operation: 0, value: [17] } },
          { payload: { base: 2, offset: 2, bytes: 2, register: 1 } },
          { range: { register: 1, operation: 0, from: [0, 80], to: [0, 90] } },
          { verdict: { code: 1 } },
        ],
      ],
    },
  ],
});
show("made");
const ports = { family: 2, table: "t", set: "ports" };
changeElements([
  { isAdded: true, ...ports, elements: [port(1), port(2)] },
  { isAdded: false, ...ports, elements: [port(3), { key: portKey(1) }] },
]);
show("changed");
attempt([
  { isAdded: false, ...ports, table: "absent", elements: [port(1)] },
  { isAdded: false, ...ports, elements: [port(9), port(80)] },
  { isAdded: true, ...ports, elements: [port(5)] },
]);
show("also without a table");
attempt([{ isAdded: true, ...ports, table: "absent", elements: [port(1)] }]);
const many = Array.from({ length: 5000 }, (_, index) => ({
  key: [1, 2, index >> 8, index & 255, 6, 0, 0, 0, 0, 1, 0, 0],
  data: [10, 0, 0, 2, 0, 1, 0, 0],
}));
const descriptors = () => readdirSync("/proc/self/fd").length;
const before = descriptors();
changeElements([{ isAdded: true, ...ports, elements: many }]);
if (descriptors() !== before) throw new Error(`${descriptors()} descriptors, and ${before} before`);
show("many");
changeElements([{ isAdded: false, ...ports, elements: many }]);
show("none of them");
await until("all sockets are closed", () => openSockets() === 0);
