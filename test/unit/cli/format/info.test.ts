import { expect, test } from "bun:test";
import { infoText } from "../../../../src/cli/format/info.ts";
import type { Info } from "../../../../src/docker/info.ts";

test("info for people has the fences of a container, each with what is more to say of it", () => {
  const facts = {
    MemTotal: 0,
    SecurityOptions: ["name=apparmor", "name=seccomp,profile=/etc/rt/\x1b.json", "name=cgroupns"],
    CDISpecDirs: [],
    DiscoveredDevices: [],
    Warnings: [],
  };
  const lines = infoText(facts as unknown as Info).split("\n");
  const from = lines.indexOf("Security Options:");
  expect(lines.slice(from, from + 5)).toEqual([
    "Security Options:",
    " apparmor",
    " seccomp",
    "  Profile: /etc/rt/\\u001b.json",
    " cgroupns",
  ]);
});

test("scripts that look for Docker's names of the version and the directory find them", () => {
  const lists = { SecurityOptions: [], CDISpecDirs: [], DiscoveredDevices: [], Warnings: [] };
  const facts = { MemTotal: 0, ServerVersion: "1.2.3", DockerRootDir: "/r", ...lists } as unknown as Info;
  expect(infoText(facts, true)).toMatch(/^Server Version: 1\.2\.3$[\s\S]*^Docker Root Dir: \/r$/m);
  expect(infoText(facts)).toMatch(/^Version: 1\.2\.3$[\s\S]*^Root Dir: \/r$/m);
});
