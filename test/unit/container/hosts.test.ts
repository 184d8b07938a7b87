import { expect, test } from "bun:test";
import { hostsAfter } from "../../../src/container/files.ts";
import { containerRecord } from "../store/samples.ts";

const record = {
  ...containerRecord({ hostname: "me", domainname: "example.org" }),
  ...{ networkMode: "lab", extraHosts: ["box:host-gateway", "db:192.0.2.7"] },
};
const own = "me.example.org me";
const nowhere = { addresses: [], gateways: [] };

test("the lines that follow from its networks are others, and all else stays as somebody has written it", () => {
  const before = `127.0.0.1\tlocalhost\n10.5.0.2\t${own}\n10.5.0.1\tbox\n192.0.2.7\tdb\n# mine\n10.5.0.2 me\n`;
  const after = hostsAfter(before, record, { addresses: ["10.5.0.2", "fd00::2"], gateways: ["10.6.0.1"] });
  expect(after).toBe(
    `127.0.0.1\tlocalhost\n10.5.0.2\t${own}\nfd00::2\t${own}\n10.6.0.1\tbox\n192.0.2.7\tdb\n# mine\n10.5.0.2 me\n`,
  );
  const without = hostsAfter(after, record, nowhere);
  expect(without).toBe("127.0.0.1\tlocalhost\n192.0.2.7\tdb\n# mine\n10.5.0.2 me\n");
  expect(hostsAfter(without, record, { addresses: ["10.5.0.2"], gateways: [] })).toBe(
    `${without}10.5.0.2\t${own}\n`,
  );
});

test("a file that is empty, or has no end of a line, or is nothing but lines of ours", () => {
  const network = { addresses: ["10.5.0.2"], gateways: [] };
  expect(hostsAfter("", record, network)).toStartWith("127.0.0.1\tlocalhost\n::1\tlocalhost");
  expect(hostsAfter("", record, network)).toEndWith(`10.5.0.2\t${own}\n192.0.2.7\tdb\n`);
  expect(hostsAfter("a", record, network)).toBe(`a\n10.5.0.2\t${own}\n`);
  expect(hostsAfter(`10.9.9.9\t${own}\n10.9.9.8\t${own}\n`, record, network)).toBe(`10.5.0.2\t${own}\n`);
  expect(hostsAfter(`10.9.9.9\t${own}\n`, record, nowhere)).toBe("\n");
});
