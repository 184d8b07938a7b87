import { expect, test } from "bun:test";
import { ModuleTable } from "../../../src/runtime/kernel-modules.ts";

const table = new ModuleTable(
  `kernel/drivers/net/virtio_net.ko: kernel/drivers/net/net_failover.ko kernel/net/core/failover.ko
kernel/net/core/failover.ko:
kernel/net/netfilter/nf-nat.ko.xz: kernel/net/a.ko.xz
no line of it
`,
);

test("what a module needs is loaded before it", () => {
  expect(table.order("virtio_net")).toEqual([
    "kernel/net/core/failover.ko",
    "kernel/drivers/net/net_failover.ko",
    "kernel/drivers/net/virtio_net.ko",
  ]);
  expect(table.order("failover")).toEqual(["kernel/net/core/failover.ko"]);
});

test("dashes and their opposite are one, and compressed files have the name without", () => {
  expect(table.order("nf_nat")).toEqual(["kernel/net/a.ko.xz", "kernel/net/netfilter/nf-nat.ko.xz"]);
  expect(table.order("nf-nat")).toEqual(table.order("nf_nat"));
  expect(table.order("net/failover")).toEqual(["kernel/net/core/failover.ko"]);
  expect(table.order("absent")).toBe(undefined);
  expect(table.order("no line of it")).toBe(undefined);
});
