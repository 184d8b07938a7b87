/** A machine that is only rt, in a network: what others reach of it from outside. qemu's own network has a server of DHCP. */
import { expect } from "bun:test";
import { ownModules } from "../../src/runtime/kernel-modules.ts";
import { needs } from "../support/root.ts";
import { until } from "../support/wait.ts";
import { configured, container, said } from "./boot.ts";
import type { InitramfsMember } from "./initramfs.ts";
import { cloudModules, qemuNeeds, startQemu } from "./qemu.ts";

const qemu = needs({ ...qemuNeeds, tools: [...qemuNeeds.tools, "depmod"] });

const driver = ["virtio_pci", "virtio_net"];
let all: Promise<InitramfsMember[]> | undefined;
function modules(): Promise<InitramfsMember[]> {
  all ??= cloudModules([...driver, ...ownModules]);
  return all;
}

const words = (names: readonly string[]) => `modules = ${JSON.stringify(names)}\n`;

/** A port of this machine that nobody has. */
function freePort(): number {
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = server;
  server.stop(true);
  return port;
}

/** What is said at a port of the guest to whoever connects; undefined: nothing yet. */
async function asked(port: number): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let text = "";
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data: (_, bytes) => {
        text += bytes.toString();
      },
      close: () => resolve(text),
      error: () => resolve(""),
    },
  });
  const answer = await promise;
  socket.end();
  return answer === "" ? undefined : answer;
}

/** qemu's own network, in which ports of this machine lead to some of the guest's. */
const outside = (...ports: [own: number, guest: number][]) =>
  [
    "user,model=virtio-net-pci",
    ...ports.map(([own, guest]) => `hostfwd=tcp:127.0.0.1:${own}-:${guest}`),
  ].join();

qemu.test("ip=dhcp: a container of the machine's network serves a port to the outside", async () => {
  const port = freePort();
  const web = container(
    "web",
    "echo $(ls /sys/class/net); cat /etc/resolv.conf; hostname; probe serve 80 web",
    'args = ["--network=host"]',
  );
  const toml = words(driver) + web;
  await using machine = await startQemu({
    initramfs: await configured(toml, await modules()),
    nic: `${outside([port, 80])},hostname=box7,dnssearch=one.example`,
    append: ["ip=dhcp"],
    timeoutMs: 110_000,
  });
  await machine.console.waitFor("web | serving", 60_000);
  expect(await until("it answers", () => asked(port))).toBe("web to 10.0.2.2\n");
  expect(said({ console: machine.console.text, code: 0 })).toEqual([
    "rt: eth0 has 10.0.2.15/24 from the DHCP server 10.0.2.2",
    "web | eth0 lo",
    "web | search one.example",
    "web | nameserver 10.0.2.3",
    "web | box7",
    "web | serving",
  ]);
});

qemu.test(
  "[network] with an address: containers of a network find each other, reach the machine and the world, and serve a port",
  async () => {
    const [port, published] = [freePort(), freePort()];
    // Of this machine's loopback, which is the guest's 10.0.2.2.
    using world = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { open: (socket) => void socket.end("the world\n"), data() {} },
    });
    const network = `[network]\naddress = "10.0.2.15/24"\ngateway = "10.0.2.2"\ndns = "10.0.2.3"\n`;
    const client = `
    until nc server 80; do sleep 0.1; done
    probe fetch 10.0.2.15 80 20000
    probe fetch 10.0.2.2 ${world.port} 20000
    echo fetched`;
    const toml =
      words(driver) +
      network +
      container("host", "probe serve 80 host", 'args = ["--network=host"]') +
      container("server", "probe serve 80 server", 'args = ["--network=bridge", "-p", "8080:80"]') +
      container("client", client, 'args = ["--network=bridge"]');
    await using machine = await startQemu({
      initramfs: await configured(toml, await modules()),
      nic: outside([port, 80], [published, 8080]),
      timeoutMs: 110_000,
    });
    await machine.console.waitFor(/client \| fetched|cannot start/, 100_000);
    const { text } = machine.console;
    expect(text).toMatch(/^client \| server to 172\.17\.0\.\d+\r?$/m);
    expect(text).toMatch(/^client \| host to 172\.17\.0\.\d+\r?$/m);
    expect(text).toContain("client | the world");
    expect(await until("it answers", () => asked(port))).toBe("host to 10.0.2.2\n");
    expect(await until("what is published answers", () => asked(published))).toBe("server to 10.0.2.2\n");
  },
);
