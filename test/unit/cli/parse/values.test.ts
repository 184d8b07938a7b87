import { describe, expect, test } from "bun:test";
import { parseDetachKeys } from "../../../../src/base/detach-keys.ts";
import { RtError } from "../../../../src/base/errors.ts";
import { parseCsv } from "../../../../src/cli/parse/csv.ts";
import { checkValues, parseFilterFlags } from "../../../../src/cli/parse/filter.ts";
import { parseSize } from "../../../../src/cli/parse/size.ts";
import { containerFilters } from "../../../../src/docker/filters.ts";
import { isAddress, parseAddHost, parseDns } from "../../../../src/settings/address.ts";
import { parseCapability } from "../../../../src/settings/capability.ts";
import { parseDevice } from "../../../../src/settings/device.ts";
import { parseLabels } from "../../../../src/settings/labels.ts";
import { parseSecurityOptions } from "../../../../src/settings/security-opt.ts";
import { namespaceOfSysctl, parseSysctls } from "../../../../src/settings/sysctl.ts";
import { parseUlimit } from "../../../../src/settings/ulimit.ts";

/** Each text is refused, in one line that names it. */
function refused(parser: (text: string) => unknown, texts: readonly string[]): void {
  for (const text of texts) {
    expect(() => parser(text), JSON.stringify(text)).toThrow(RtError);
    expect(() => parser(text)).toThrow(/^invalid /);
  }
}

describe("sizes", () => {
  test.each([
    ["0", 0],
    ["1024", 1024],
    ["10b", 10],
    ["1k", 1024],
    ["64m", 64 << 20],
    ["64M", 64 << 20],
    ["1.5g", 1.5 * 2 ** 30],
    ["2 GiB", 2 ** 31],
    ["1kb", 1024],
    ["1t", 2 ** 40],
  ])("%s", (text, bytes) => expect(parseSize(text)).toBe(bytes));
  test("refused", () => refused(parseSize, ["", "m", "-1", "1x", "1 2", "0x10", "1e3", "9999999999999p"]));
});

describe("ulimits", () => {
  test.each([
    ["nofile=1024", { name: "nofile", soft: 1024, hard: 1024 }],
    ["nofile=1024:2048", { name: "nofile", soft: 1024, hard: 2048 }],
    ["core=-1", { name: "core", soft: -1, hard: -1 }],
    ["core=0:-1", { name: "core", soft: 0, hard: -1 }],
  ])("%s", (text, expected) => expect(parseUlimit(text)).toEqual(expected));
  test("refused", () => {
    refused(parseUlimit, [
      "",
      "nofile",
      "nofile=",
      "nofile=a",
      "nofile=1:2:3",
      "nofile=2:1",
      "nofile=-1:5",
      "no=1",
    ]);
    refused(parseUlimit, ["nofile=-2", "nofile=1:", "=1", "nofile=99999999999999999999", "constructor=1"]);
  });
});

describe("devices", () => {
  test.each([
    ["/dev/x", { source: "/dev/x", destination: "/dev/x", permissions: "rwm" }],
    ["/dev/x:/dev/y", { source: "/dev/x", destination: "/dev/y", permissions: "rwm" }],
    ["/dev/x:r", { source: "/dev/x", destination: "/dev/x", permissions: "r" }],
    ["/dev/x:/dev/y:mr", { source: "/dev/x", destination: "/dev/y", permissions: "mr" }],
  ])("%s", (text, expected) => expect(parseDevice(text)).toEqual(expected));
  test("refused", () => {
    refused(parseDevice, [
      "",
      "x",
      "/dev/x:y",
      "/dev/x:/dev/y:z",
      "/dev/x:/dev/y:rr",
      "/a:/b:r:w",
      ":/b",
      "/a:",
      "/a:/b:",
    ]);
    refused(parseDevice, ["vendor.com/class=name", "/dev/x\n"]);
  });
});

describe("addresses", () => {
  test("which are", () => {
    const good = [
      "1.2.3.4",
      "255.255.255.255",
      "::",
      "::1",
      "fe80::1",
      "1:2:3:4:5:6:7:8",
      "::ffff:1.2.3.4",
      "1::",
    ];
    expect(good.filter((text) => !isAddress(text))).toEqual([]);
  });
  test("which are not", () => {
    const bad = [
      "",
      "1.2.3",
      "1.2.3.256",
      "01.2.3.4",
      "1.2.3.4.5",
      ":",
      ":::",
      "1:2:3:4:5:6:7",
      "1:2:3:4:5:6:7:8:9",
    ];
    expect(
      [...bad, "::1::", "12345::", "g::", "fe80::1%eth0", "1.2.3.4::", "1:2:3:4:5:6:7::8", "::1.2.3"].filter(
        isAddress,
      ),
    ).toEqual([]);
  });
  test.each([
    ["db:10.0.0.1", "db:10.0.0.1"],
    ["db=10.0.0.1", "db:10.0.0.1"],
    ["db:::1", "db:::1"],
    ["db=[::1]", "db:::1"],
    ["db:host-gateway", "db:host-gateway"],
  ])("--add-host %s", (text, expected) => expect(parseAddHost(text)).toBe(expected));
  test("refused", () => {
    refused(parseAddHost, ["", "db", "db:", ":1.2.3.4", "db:nope", "a b:1.2.3.4", "db:1.2.3.4\nx:1.1.1.1"]);
    refused(parseDns, ["", "example.org", "1.2.3.4\n", "1.2.3.4 "]);
  });
});

describe("labels", () => {
  test("last wins, and a name alone is empty", () => {
    const labels = parseLabels(["a=1", "b", "a=2=3", " c=x y", "__proto__=z"], "label");
    expect(Object.entries(labels)).toEqual([
      ["a", "2=3"],
      ["b", ""],
      ["c", "x y"],
      ["__proto__", "z"],
    ]);
  });
  test("refused", () =>
    refused((text) => parseLabels([text], "label"), ["", "=1", "a b=1", "a=1\n", "a=\0", "a=\u001b"]));
});

test("detach keys", () => {
  expect([...parseDetachKeys(undefined)]).toEqual([16, 17]);
  expect([...parseDetachKeys("")]).toEqual([]);
  expect([...parseDetachKeys("ctrl-a,b,ctrl-@,ctrl-[,ctrl-P")]).toEqual([1, 98, 0, 27, 16]);
  refused(parseDetachKeys, ["ab", "ctrl-", "ctrl-1", "a,,b", "\n"]);
});

test("capabilities", () => {
  expect(parseCapability("net_admin", "--cap-add")).toBe("CAP_NET_ADMIN");
  expect(parseCapability("CAP_SYS_PTRACE", "--cap-add")).toBe("CAP_SYS_PTRACE");
  expect(parseCapability("all", "--cap-drop")).toBe("ALL");
  refused((text) => parseCapability(text, "--cap-add"), ["", "CAP_", "NOPE", "CAP_CAP_KILL"]);
});

test("csv", () => {
  expect(parseCsv('a,"b,c","say ""x""",', "x")).toEqual(["a", "b,c", 'say "x"', ""]);
  refused((text) => parseCsv(text, "x"), ['a"b', '"a"b', '"a']);
});

test("sysctls", () => {
  expect(parseSysctls(["net.core.somaxconn=1", "net/ipv4/conf/eth0.1/x=2", "kernel.shmmax=3"])).toEqual({
    "net.core.somaxconn": "1",
    "net.ipv4.conf.eth0/1.x": "2",
    "kernel.shmmax": "3",
  });
  const one = (text: string) => parseSysctls([text]);
  refused(one, [
    "",
    "net.x",
    "=1",
    "kernel.core_pattern=|/x",
    "vm.swappiness=1",
    "net..x=1",
    "net.../x=1",
    "net.x=1\n",
  ]);
  expect(() => one("kernel.hostname=x")).toThrow(
    '--sysctl "kernel.hostname=x": --hostname sets kernel.hostname',
  );
  const keys = ["net.core.somaxconn", "net/ipv4/conf/eth0.1/x", "kernel.shmmax", "fs/mqueue/queues_max"];
  expect(keys.map(namespaceOfSysctl)).toEqual(["network", "network", "ipc", "ipc"]);
});

test("security options", () => {
  const none = { noNewPrivileges: false, labelOptions: [], mask: [], unmask: [] };
  for (const text of ["no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"]) {
    expect(parseSecurityOptions([text])).toEqual({ ...none, noNewPrivileges: true });
  }
  expect(
    parseSecurityOptions(["no-new-privileges", "no-new-privileges:false", "seccomp:unconfined"]),
  ).toEqual({ ...none, seccomp: "unconfined" });
  expect(parseSecurityOptions(["seccomp=unconfined", "seccomp=builtin"])).toEqual({
    ...none,
    seccomp: "builtin",
  });
  const profile = parseSecurityOptions([
    'seccomp={ "defaultAction": "SCMP_ACT_LOG",\n "comment": "a  b" }',
  ]).seccomp;
  expect(profile).toBe('{"defaultAction":"SCMP_ACT_LOG","comment":"a  b"}');
  expect(() => parseSecurityOptions(["seccomp={}"])).toThrow(
    "seccomp profile: line 1: defaultAction: it is missing",
  );
  expect(parseSecurityOptions(["mask=/a:/b", "unmask=ALL", "mask=/c", "label=type:t", "apparmor=p"])).toEqual(
    {
      ...{ ...none, mask: ["/a", "/b", "/c"], unmask: ["ALL"], labelOptions: ["type:t"], apparmor: "p" },
    },
  );
  expect(parseSecurityOptions(["systempaths=unconfined"]).unmask).toEqual(["ALL"]);
  expect(parseSecurityOptions(["unmask=all"]).unmask).toEqual(["ALL"]);
  const cgroups = (text: string) => parseSecurityOptions([`writable-cgroups${text}`]).unmask;
  for (const text of ["=true", ":true", ""]) expect(cgroups(text)).toEqual(["/sys/fs/cgroup"]);
  expect(cgroups("=false")).toEqual([]);
  for (const texts of [
    ["writable-cgroups", "systempaths=unconfined"],
    ["writable-cgroups", "unmask=ALL"],
  ])
    expect(parseSecurityOptions(texts).unmask).toEqual(["ALL", "/sys/fs/cgroup"]);
  refused(
    (text) => parseSecurityOptions([text]),
    [
      "",
      "no-new-privileges:maybe",
      "what",
      "seccomp",
      "seccomp=x",
      "apparmor=",
      "mask=a",
      "unmask=/a:b",
      "systempaths=x",
      "writable-cgroups=x",
      "mask=/..",
      "unmask=/proc/[",
    ],
  );
});

test("filters", () => {
  const { values } = containerFilters;
  const grammar = { keys: ["name", "status", "name!"], later: ["health"], values };
  const parse = (...texts: string[]) => parseFilterFlags(texts, grammar);
  expect(parse("name=a", "STATUS=running", "name=b=c")).toEqual({ name: ["a", "b=c"], status: ["running"] });
  refused(parse, ["name", "nam=x", "constructor=x"]);
  expect(() => parse("nam=x")).toThrow("did you mean name?");
  expect(() => parse("colour=x")).toThrow("did you mean name, status?");
  expect(parse("name!=x")).toEqual({ "name!": ["x"] });
  expect(() => parse("health=x")).toThrow("comes in a later version");
  checkValues(parse("status=exited", "name=1"), grammar);
  expect(() => checkValues({ status: ["exited", "gone"] }, grammar)).toThrow(
    'invalid --filter "status=gone": want one of created, restarting',
  );
});
