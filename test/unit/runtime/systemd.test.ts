import { expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { RtError } from "../../../src/base/errors.ts";
import { Systemd } from "../../../src/runtime/systemd/bus.ts";
import { decodeMessage, encodeCall } from "../../../src/runtime/systemd/message.ts";
import { deviceProperties, limitProperties } from "../../../src/runtime/systemd/properties.ts";
import { Reader, typesOf, type Variant, Writer } from "../../../src/runtime/systemd/wire.ts";
import { scratchDirectory } from "../../support/scratch.ts";

test("what is written is read again, whatever stands before it", () => {
  const signature = "ya(sv)t(yb)auaya(sa(sv))ogs";
  const values = [
    7,
    [
      ["PIDs", ["au", [1, 4194304]]],
      ["Delegate", ["b", 1]],
      ["Nested", ["v", ["s", "deep"]]],
    ],
    2n ** 64n - 1n,
    [1, 0],
    [],
    [1, 2, 3],
    [["other.service", [["X", ["t", 5n]]]]],
    "/a/b",
    "a{sv}",
    "ä\u{1f600}",
  ];
  for (let pad = 0; pad < 9; pad++) {
    const before = Array.from({ length: pad }, () => 0);
    const { bytes } = new Writer().all("y".repeat(pad) + signature, [...before, ...values]);
    expect(new Reader(bytes).all("y".repeat(pad) + signature)).toEqual([...before, ...values]);
  }
});

test("a signature's types", () => {
  expect(typesOf("ssa(sv)a(sa(sv))a{sv}(u(ay))v")).toEqual([
    "s",
    "s",
    "a(sv)",
    "a(sa(sv))",
    "a{sv}",
    "(u(ay))",
    "v",
  ]);
  for (const bad of ["a", "(", "(s", "a{s", "a".repeat(100)]) expect(() => typesOf(bad)).toThrow(RangeError);
});

test("a call as the specification has it, byte by byte", () => {
  const call = { path: "/a", interface: "b.c", member: "D", signature: "u", body: [258], destination: "" };
  expect(encodeCall(3, call).toString("hex")).toBe(
    [
      "6c010001" + "04000000" + "03000000" + "37000000",
      "01016f00" + "02000000" + "2f610000" + "00000000",
      "02017300" + "03000000" + "622e6300" + "00000000",
      "03017300" + "01000000" + "44000000" + "00000000",
      "08016700" + "01750000" + "02010000",
    ].join(""),
  );
});

test("a message that is cut is waited for; one that lies about itself is none", () => {
  const whole = new Writer().all("yyyyuua(yv)", [108, 2, 0, 1, 0, 9, [[5, ["u", 4]]]]).bytes;
  const padded = Buffer.concat([whole, Buffer.alloc((8 - (whole.length % 8)) % 8), Buffer.from("next")]);
  expect(decodeMessage(padded)?.message.answers).toBe(4);
  expect(decodeMessage(padded)?.length).toBe(padded.length - 4);
  for (let cut = 0; cut < padded.length - 4; cut++)
    expect(decodeMessage(padded.subarray(0, cut))).toBeUndefined();
  const big = Buffer.from(padded);
  big[0] = "B".charCodeAt(0);
  const endless = Buffer.from(padded);
  endless.writeUInt32LE(0xffffffff, 4);
  const longArray = Buffer.from(padded);
  longArray.writeUInt32LE(0x10000, 12);
  expect(() => decodeMessage(big)).toThrow(RangeError);
  expect(() => decodeMessage(endless)).toThrow(RangeError);
  expect(decodeMessage(longArray)).toBeUndefined();
  let seed = 7;
  for (let round = 0; round < 3000; round++) {
    const torn = Buffer.from(padded);
    for (let each = 0; each < 3; each++) {
      seed = (seed * 1103515245 + 12345) & 0x7fffffff;
      torn[seed % torn.length] = (seed >> 8) & 0xff;
    }
    try {
      decodeMessage(torn);
    } catch (error) {
      expect(error).toBeInstanceOf(RangeError);
    }
  }
});

test("an array of what has no length ends", () => {
  const bytes = Buffer.from("0800000000000000" + "0000000000000000", "hex");
  expect(() => new Reader(bytes).all("a()")).toThrow(RangeError);
});

/** Kind, header fields, and what it says. */
function sent(kind: number, list: [number, Variant][], signature: string, body: unknown[]): Buffer {
  const said = new Writer().all(signature, body).bytes;
  const head = new Writer().all("yyyyuua(yv)", [
    108,
    kind,
    0,
    1,
    said.length,
    1,
    [...list, [8, ["g", signature]]],
  ]);
  head.align(8);
  return Buffer.concat([head.bytes, said]);
}

test("on a bus others neither answer for systemd nor end its jobs", async () => {
  const path = join(scratchDirectory(), `bus-${process.pid}`);
  const removed = (sender: string, result: string) =>
    sent(
      4,
      [
        [3, ["s", "JobRemoved"]],
        [7, ["s", sender]],
      ],
      "uoss",
      [1, "/job", "x.scope", result],
    );
  const server = Bun.listen({
    unix: path,
    socket: {
      data(socket, bytes) {
        if (bytes[0] === 0) return void socket.write("OK 0\r\n");
        let rest = bytes.toString("latin1").startsWith("BEGIN") ? bytes.subarray(7) : bytes;
        for (let found = decodeMessage(rest); found; found = decodeMessage(rest)) {
          const serial: Variant = ["u", rest.readUInt32LE(8)];
          socket.write(
            sent(
              4,
              [
                [3, ["s", "X"]],
                [5, serial],
                [7, ["s", ":1.66"]],
              ],
              "o",
              ["/forged"],
            ),
          );
          socket.write(removed(":1.66", "forged"));
          socket.write(
            sent(
              2,
              [
                [5, serial],
                [7, ["s", ":1.5"]],
              ],
              "o",
              ["/job"],
            ),
          );
          rest = rest.subarray(found.length);
        }
        socket.write(removed(":1.5", "done"));
      },
    },
  });
  using systemd = await Systemd.connect([{ path, isBus: true }]);
  const [job] = await systemd.call("StartTransientUnit", "s", "x.scope");
  expect(job).toBe("/job");
  expect(await systemd.jobEnd(job)).toBe("done");
  server.stop(true);
  rmSync(path, { force: true });
});

test("that it goes in the middle is said in one line", async () => {
  const path = join(scratchDirectory(), `gone-${process.pid}`);
  using server = Bun.listen({
    unix: path,
    socket: {
      data(socket, bytes) {
        if (bytes[0] === 0) socket.write("OK 0\r\n");
        else if (bytes.length > "BEGIN\r\n".length) socket.end();
      },
    },
  });
  const asked = async () => {
    using systemd = await Systemd.connect([{ path, isBus: false }]);
    return await systemd.call("StartTransientUnit", "s", "x.scope");
  };
  const error = await asked().catch((error) => error);
  expect(error).toBeInstanceOf(RtError);
  expect(error).toMatchObject({
    code: "unavailable",
    message: "cannot ask systemd: it has closed the connection",
  });
  server.stop(true);
  rmSync(path, { force: true });
});

test("limits in systemd's words, of either version", () => {
  const limits = {
    devices: [],
    memory: { limit: 64 << 20, swap: 96 << 20, reservation: 32 << 20 },
    cpu: { shares: 1024, quota: 2500, period: 100_000, cpus: "0,9", mems: "0" },
    pids: { limit: -1 },
    blockIO: { weight: 500, throttleReadBpsDevice: [{ major: 8, minor: 16, rate: 1000 }] },
  };
  expect(limitProperties(limits, () => 2)).toEqual([
    ["MemoryMax", ["t", BigInt(64 << 20)]],
    ["MemoryLow", ["t", BigInt(32 << 20)]],
    ["MemorySwapMax", ["t", BigInt(32 << 20)]],
    ["CPUWeight", ["t", 100n]],
    ["CPUQuotaPerSecUSec", ["t", 25000n]],
    ["CPUQuotaPeriodUSec", ["t", 100000n]],
    ["TasksMax", ["t", 2n ** 64n - 1n]],
    ["AllowedCPUs", ["ay", [1, 2]]],
    ["AllowedMemoryNodes", ["ay", [1]]],
    ["IOWeight", ["t", 4950n]],
    ["IOReadBandwidthMax", ["a(st)", [["/dev/block/8:16", 1000n]]]],
  ]);
  expect(limitProperties(limits, () => 1).map(([name]) => name)).toEqual([
    "MemoryMax",
    "CPUShares",
    "CPUQuotaPerSecUSec",
    "CPUQuotaPeriodUSec",
    "TasksMax",
  ]);
  expect(limitProperties({ devices: [] }, () => 2)).toEqual([]);
});

test("devices in systemd's words; of who may open all nothing is said", () => {
  const drivers = "Character devices:\n  1 mem\n136 pts\n\nBlock devices:\n  8 sd\n";
  const rules = [
    { allow: false, access: "rwm" },
    { allow: true, type: "c" as const, access: "m" },
    { allow: true, type: "b" as const, access: "m" },
    { allow: true, type: "c" as const, major: 1, minor: 3, access: "rwm" },
    { allow: true, type: "c" as const, major: 136, access: "rwm" },
    { allow: true, type: "b" as const, major: 8, access: "r" },
    { allow: true, type: "c" as const, major: 77, access: "r" },
  ];
  expect(deviceProperties(rules, drivers)).toEqual([
    ["DevicePolicy", ["s", "strict"]],
    [
      "DeviceAllow",
      [
        "a(ss)",
        [
          ["char-*", "m"],
          ["block-*", "m"],
          ["/dev/char/1:3", "rwm"],
          ["char-pts", "rwm"],
          ["block-sd", "r"],
        ],
      ],
    ],
  ]);
  expect(deviceProperties([{ allow: true, type: "a", access: "rwm" }], drivers)).toEqual([]);
});
