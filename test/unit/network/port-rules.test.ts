import { expect, test } from "bun:test";
import { parseAddress } from "../../../src/network/address.ts";
import { portElements } from "../../../src/network/port-rules.ts";

test("where ports lead, by address or from anywhere; what the monitor hands on is in no map, and known", () => {
  const port = (address: string, host: number, target: string | undefined, protocol = "tcp") => ({
    ...{ container: "c", protocol, port: 80 },
    host: {
      address: parseAddress(address)!,
      port: host,
      target: target === undefined ? undefined : parseAddress(target)!,
    },
  });
  const ports = [
    port("0.0.0.0", 8080, "10.1.0.2"),
    port("127.0.0.1", 258, "10.1.0.2", "udp"),
    port("::", 8080, undefined),
    port("2001:db8::1", 8080, "fd00::2", "sctp"),
  ];
  const data = [10, 1, 0, 2, 0, 80, 0, 0];
  expect(portElements(4, ports)).toEqual({
    anywhere: [{ key: [6, 0, 0, 0, 31, 144, 0, 0], data }],
    published: [{ key: [127, 0, 0, 1, 17, 0, 0, 0, 1, 2, 0, 0], data }],
    handed: [],
    "handed-anywhere": [],
  });
  const six = portElements(6, ports);
  expect(six.anywhere).toEqual([]);
  expect(six["handed-anywhere"]).toEqual([{ key: [6, 0, 0, 0, 31, 144, 0, 0] }]);
  expect(six.handed).toEqual([]);
  const local = portElements(6, [port("::1", 80, undefined), port("::", 81, "fd00::2")]);
  expect(local.handed).toEqual([{ key: [...Array(15).fill(0), 1, 6, 0, 0, 0, 0, 80, 0, 0] }]);
  expect(local["handed-anywhere"]).toEqual([{ key: [6, 0, 0, 0, 0, 81, 0, 0] }]);
  expect(portElements(4, [port("0.0.0.0", 80, undefined)])["handed-anywhere"]).toHaveLength(1);
  expect(six.published.map(({ key }) => key.length)).toEqual([24]);
  expect(six.published[0]!.data!.slice(-4)).toEqual([0, 80, 0, 0]);
});
