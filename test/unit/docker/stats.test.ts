import { expect, test } from "bun:test";
import { figuresOf, statsDocument, type Usage } from "../../../src/docker/stats.ts";

const cpu = (total_usage: number, system_cpu_usage: number): Usage["cpu"] => ({
  cpu_usage: { total_usage, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  system_cpu_usage,
  online_cpus: 4,
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
});

function usage(more: Partial<Usage> = {}): Usage {
  const memory = { usage: 3 << 20, limit: 10 << 20, stats: { inactive_file: 1 << 20 } };
  const serviceBytes = [
    { major: 8, minor: 0, op: "Read", value: 1000 },
    { major: 8, minor: 16, op: "read", value: 24 },
    { major: 8, minor: 0, op: "Write", value: 5 },
    { major: 8, minor: 0, op: "Sync", value: 7 },
  ];
  return {
    ...{ read: "2026-01-01T00:00:01Z", cpu: cpu(2e9, 40e9), memory, pids: { current: 3 } },
    ...{ serviceBytes, serviced: [] },
    ...more,
  };
}

const container = { id: "c0ffee", name: "web" };

test("figures are docker's", () => {
  const before = usage({ read: "2026-01-01T00:00:00Z", cpu: cpu(1e9, 36e9) });
  const eth = {
    rx_bytes: 10,
    rx_packets: 1,
    rx_errors: 0,
    rx_dropped: 0,
    tx_bytes: 20,
    tx_packets: 1,
    tx_errors: 0,
    tx_dropped: 0,
  };
  const document = statsDocument(container, usage({ networks: { eth0: eth, eth1: eth } }), before);
  expect(document).toMatchObject({ name: "/web", id: "c0ffee", preread: "2026-01-01T00:00:00Z" });
  expect(figuresOf(document)).toEqual({
    ...{ cpuPercent: 100, memory_bytes: 2 << 20, memoryLimit_bytes: 10 << 20, memoryPercent: 20 },
    ...{ received_bytes: 20, sent_bytes: 40, read_bytes: 1024, written_bytes: 5, pids: 3 },
  });
});

test("v1 has the cache of all groups below; more cache than use is no use to anybody", () => {
  const memory = (stats: Record<string, number>) =>
    figuresOf(statsDocument(container, usage({ memory: { usage: 100, limit: 1000, stats } }), undefined))
      .memory_bytes;
  expect(memory({ total_inactive_file: 60, inactive_file: 10 })).toBe(40);
  expect(memory({ total_inactive_file: 100 })).toBe(100);
  expect(memory({})).toBe(100);
});

test("one look says nothing of the processor; what does not run uses nothing", () => {
  expect(figuresOf(statsDocument(container, usage(), undefined)).cpuPercent).toBe(0);
  const none = statsDocument(container, undefined, undefined);
  expect(none.read).toBe("0001-01-01T00:00:00Z");
  expect(new Set(Object.values(figuresOf(none)))).toEqual(new Set([0]));
});
