import { expect, test } from "bun:test";
import { listPorts, type PortFacts, portMap } from "../../../src/docker/container-ports.ts";

const led = (port: number, number: number, address = "0.0.0.0", protocol = "tcp"): PortFacts => ({
  ...{ protocol, port, host: { address, port: number } },
});
const shown = (port: number, protocol = "tcp"): PortFacts => ({ protocol, port, host: undefined });

test.each<[string, PortFacts[]]>([
  ["", []],
  ["80/tcp", [shown(80)]],
  ["0.0.0.0:8080->80/tcp, [::]:8080->80/tcp", [led(80, 8080), led(80, 8080, "::")]],
  ["53/udp, 80-81/tcp", [shown(80), shown(53, "udp"), shown(81)]],
  [
    "0.0.0.0:80-82->80-82/tcp, [::]:80-82->80-82/tcp",
    [80, 81, 82].flatMap((n) => [led(n, n), led(n, n, "::")]),
  ],
  ["80-81/tcp, 90/tcp, 0.0.0.0:8443->443/tcp", [led(443, 8443), shown(90), shown(81), shown(80)]],
  ["0.0.0.0:32768->80/tcp, 0.0.0.0:32769->81/tcp", [led(80, 32768), led(81, 32769)]],
])("%j", (text, ports) => {
  expect(listPorts(ports)).toBe(text);
});

test("by the container's, with null of what is only shown", () => {
  expect(portMap([led(80, 8080), led(80, 8080, "::"), shown(53, "udp")])).toEqual({
    "80/tcp": [
      { HostIp: "0.0.0.0", HostPort: "8080" },
      { HostIp: "::", HostPort: "8080" },
    ],
    "53/udp": null,
  });
});
