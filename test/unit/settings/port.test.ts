import { expect, test } from "bun:test";
import {
  allExposed,
  checkPorts,
  distinctWishes,
  parseExpose,
  parsePort,
  parsePublish,
} from "../../../src/settings/port.ts";

const wish = (port: number, first: number, last = first, more: object = {}) => ({
  ...{ port, protocol: "tcp", address: "", first, last, ...more },
});

test.each<[string, object[]]>([
  ["80", [wish(80, 0)]],
  ["8080:80", [wish(80, 8080)]],
  ["0:80", [wish(80, 0)]],
  [":80", [wish(80, 0)]],
  ["127.0.0.1::80", [wish(80, 0, 0, { address: "127.0.0.1" })]],
  ["127.0.0.1:8080:80/UDP", [wish(80, 8080, 8080, { address: "127.0.0.1", protocol: "udp" })]],
  ["[::1]:8080:80/sctp", [wish(80, 8080, 8080, { address: "::1", protocol: "sctp" })]],
  ["::1:8080:80", [wish(80, 8080, 8080, { address: "::1" })]],
  ["8000-8010:80", [wish(80, 8000, 8010)]],
  ["8000-8001:80-81", [wish(80, 8000), wish(81, 8001)]],
  ["80-81", [wish(80, 0), wish(81, 0)]],
  ["8080:80-80", [wish(80, 8080)]],
  ["65535:65535", [wish(65535, 65535)]],
  ["target=80,published=8080,protocol=udp", [wish(80, 8080, 8080, { protocol: "udp" })]],
  ["target=80", [wish(80, 0)]],
])("-p %s", (text, wanted) => {
  expect<object>(parsePublish(text)).toEqual(wanted);
});

test.each([
  ["", "no port specified: <empty>"],
  ["8080:", "no port specified: 8080:<empty>"],
  ["0", "invalid containerPort: 0"],
  ["x", "invalid containerPort: x"],
  ["80:x", "invalid containerPort: x"],
  ["80:65536", "invalid containerPort: 65536"],
  ["80:-1", "invalid containerPort: -1"],
  ["80:90-80", "invalid containerPort: 90-80"],
  ["80:0-5", "invalid containerPort: 0-5"],
  ["80: 80", "invalid containerPort:  80"],
  ["65536:80", "invalid hostPort: 65536"],
  ["y:80", "invalid hostPort: y"],
  ["8010-8000:80", "invalid hostPort: 8010-8000"],
  ["123456:80", "invalid hostPort: 123456"],
  ["80/icmp", "invalid proto: icmp"],
  ["80/tcp/udp", "invalid proto: tcp/udp"],
  ["8000-8002:80-81", "invalid ranges specified for container and host Ports: 80-81 and 8000-8002"],
  ["8000:80-81", "invalid ranges specified for container and host Ports: 80-81 and 8000"],
  ["example.org:8080:80", "invalid IP address: example.org"],
  ["[127.0.0.1]:8080:80", "invalid IP address: [127.0.0.1]"],
  ["[::1:8080:80", "invalid IP address: [::1"],
  ["[]:8080:80", "invalid IP address: []"],
  ["300.0.0.1:8080:80", "invalid IP address: 300.0.0.1"],
  ["::1%eth0:8080:80", "invalid IP address: ::1%eth0"],
  ["target=80,size=3", "invalid field key: size"],
  ["target=80,published", "invalid field: published"],
  ["80\n81", 'invalid --publish "80\\n81": has a control character'],
])("-p %j is refused: %s", (text, why) => {
  expect(() => parsePublish(text)).toThrow(
    expect.objectContaining({ code: "invalid-argument", message: why }),
  );
});

test("what is too long to be one is not looked at", () => {
  expect(() => parsePublish("1".repeat(1e6))).toThrow("too long");
});

test("--expose, alone and with what is published", () => {
  expect(parseExpose("80")).toEqual(["80/tcp"]);
  expect(parseExpose("80-82/udp")).toEqual(["80/udp", "81/udp", "82/udp"]);
  for (const bad of ["0", "65536", "82-80", "", "/udp", "x"])
    expect(() => parseExpose(bad)).toThrow(`invalid range format for --expose: ${bad}, error: `);
  expect(() => parseExpose("8080:80")).toThrow("invalid port format for --expose: 8080:80");
  expect(() => parseExpose("80/icmp")).toThrow("invalid proto: icmp");
  const publish = parsePublish("8080-8081:80-81");
  expect(allExposed({ publish, expose: ["443/tcp", "53/udp", "80/tcp"] })).toEqual([
    ...["53/udp", "80/tcp", "81/tcp", "443/tcp"],
  ]);
});

test("a port of a container, as rt port has it", () => {
  expect(parsePort("80", "port")).toEqual({ port: 80, protocol: "tcp" });
  expect(parsePort("80/udp", "port")).toEqual({ port: 80, protocol: "udp" });
  for (const bad of ["0", "80-81", "x", "65536"])
    expect(() => parsePort(bad, "port")).toThrow(`invalid port (${bad}): want a number`);
});

test("the same twice is one, in whichever order its fields are", () => {
  const [one] = parsePublish("8080:80");
  const { port, ...rest } = one!;
  expect(distinctWishes([one!, { ...rest, port }, ...parsePublish("8081:80")]).length).toBe(2);
});

test("another container's network has its own ports", () => {
  const none = { publish: [], expose: [], publishAll: false };
  checkPorts("container:x", none);
  checkPorts("none", { ...none, publishAll: true });
  expect(() => checkPorts("container:x", { ...none, publishAll: true })).toThrow(
    "conflicting options: port publishing and the container type network mode",
  );
  expect(() => checkPorts("container:x", { ...none, expose: ["80/tcp"] })).toThrow(
    "conflicting options: port exposing and the container type network mode",
  );
});
