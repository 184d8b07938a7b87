import { expect, test } from "bun:test";
import { logFilesPlan, parseLogDriver, parseLogOptions } from "../../../src/settings/log.ts";
import { checkTag, extraAttributes, tagOf } from "../../../src/settings/log-attributes.ts";
import { parseFacility, parseSyslogAddress, parseSyslogFormat } from "../../../src/settings/syslog.ts";

const plan = (driver: Parameters<typeof logFilesPlan>[0], ...options: string[]) =>
  logFilesPlan(driver, parseLogOptions(driver, options));

test("what is kept where nobody says how much, and where somebody does", () => {
  const json = { form: "json", bytes: 10 << 20, files: 3, compress: false } as const;
  expect(plan("json-file")).toEqual(json);
  expect(plan("json-file", "max-size=1k", "max-file=1")).toEqual({ ...json, bytes: 1024, files: 1 });
  expect(plan("json-file", "max-size=-1", "compress=false")).toEqual({ ...json, bytes: 0 });
  expect(plan("json-file", "compress=T")).toEqual({ ...json, compress: true });
  const local = { form: "local", bytes: 20 << 20, files: 5, compress: true } as const;
  expect(plan("local")).toEqual(local);
  expect(plan("local", "max-file=1")).toEqual({ ...local, files: 1, compress: false });
  expect(plan("none")).toBeUndefined();
});

test("what is sent away is kept too, unless somebody declines", () => {
  expect(plan("syslog")).toEqual({ form: "local", bytes: 20 << 20, files: 5, compress: true });
  expect(plan("journald", "cache-max-size=1m", "cache-compress=false")).toMatchObject({
    ...{ bytes: 1 << 20, compress: false },
  });
  expect(plan("journald", "cache-disabled=true")).toBeUndefined();
});

test.each([
  ["gelf", "unsupported", "gelf is not there"],
  ["jsonfile", "invalid-argument", "want json-file, local, journald, syslog or none"],
  ["toString", "invalid-argument", "want json-file"],
] as const)("--log-driver %s", (driver, code, why) => {
  expect(() => parseLogDriver(driver)).toThrow(expect.objectContaining({ code }));
  expect(() => parseLogDriver(driver)).toThrow(why);
});

test.each([
  ["json-file", "max-size=0", "want a size as 10m"],
  ["json-file", "max-size=10x", "want a size"],
  ["json-file", "max-size=99999999999t", "want a size"],
  ["json-file", "max-file=0", "from 1 to 1000"],
  ["json-file", "max-file=1001", "from 1 to 1000"],
  ["json-file", "max-file", "want KEY=VALUE"],
  ["json-file", "=1", "want KEY=VALUE"],
  ["json-file", "__proto__=1", "unknown log opt '__proto__' for json-file log driver"],
  ["json-file", "syslog-format=x", "unknown log opt 'syslog-format' for json-file log driver"],
  ["local", "x=1", "unknown log opt 'x' for log driver local"],
  ["journald", "max-size=1m", "unknown log opt 'max-size' for journald log driver"],
  ["json-file", "compress=yes", "want true or false"],
  ["json-file", "tag={{.Nope}}", "{{.ImageFullName}}"],
  ["json-file", "labels-regex=(", "want a regular expression"],
  ["json-file", "mode=often", "logger: logging mode not supported: often"],
  [
    "json-file",
    "max-buffer-size=1m",
    "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
  ],
  ["syslog", "syslog-address=tcp:/x", "want unix:///PATH"],
  ["syslog", "syslog-facility=nope", "syslog-facility"],
  ["syslog", "syslog-format=rfc1", "want rfc3164, rfc5424, rfc5424micro"],
] as const)("--log-driver %s --log-opt %s", (driver, option, why) => {
  expect(() => parseLogOptions(driver, [option])).toThrow(
    expect.objectContaining({ code: "invalid-argument" }),
  );
  expect(() => parseLogOptions(driver, [option])).toThrow(why);
});

test("options that contradict each other", () => {
  const why = "compress cannot be true when max-file is less than 2 or max-size is not set";
  for (const option of ["max-file=1", "max-size=-1"])
    expect(() => parseLogOptions("json-file", ["compress=true", option])).toThrow(why);
  expect(parseLogOptions("json-file", ["mode=non-blocking", "max-buffer-size=4m"])).toEqual({
    mode: "non-blocking",
    "max-buffer-size": "4m",
  });
});

test("none has no options", () => {
  expect(() => parseLogOptions("none", ["max-size=1m"])).toThrow("has no options");
});

test("where syslog listens", () => {
  expect(parseSyslogAddress("unix:///dev/log")).toEqual({ kind: "unix", path: "/dev/log", stream: true });
  expect(parseSyslogAddress("unixgram:///x")).toEqual({ kind: "unix", path: "/x", stream: false });
  expect(parseSyslogAddress("udp://10.0.0.1")).toEqual({
    ...{ kind: "ip", host: "10.0.0.1", port: 514, stream: false },
  });
  expect(parseSyslogAddress("tcp://[::1]:6514")).toEqual({
    kind: "ip",
    host: "::1",
    port: 6514,
    stream: true,
  });
  expect(parseSyslogAddress("tcp://logs.example:1")).toMatchObject({ host: "logs.example", port: 1 });
  for (const bad of [
    "",
    "unix://dev",
    `unix:///${"x".repeat(110)}`,
    "udp://a:0",
    "udp://a:70000",
    "tcp://[x]",
    "tcp://a/b",
  ])
    expect(() => parseSyslogAddress(bad)).toThrow("syslog-address");
  expect(() => parseSyslogAddress("tcp+tls://a")).toThrow(expect.objectContaining({ code: "unsupported" }));
  expect(["", "local7", "0", "23", "authpriv"].map(parseFacility)).toEqual([3, 23, 0, 23, 10]);
  for (const bad of ["24", "-1", "toString", "x"])
    expect(() => parseFacility(bad)).toThrow("syslog-facility");
  expect(["", "rfc3164"].map(parseSyslogFormat)).toEqual(["unix", "rfc3164"]);
});

test("a tag, and what is taken from labels and variables", () => {
  const facts = { id: "ab".repeat(32), name: "web", image: "alpine:3", imageId: `sha256:${"cd".repeat(32)}` };
  expect(tagOf("{{.Name}}/{{ .ID }} {{.ImageName}} {{.ImageID}}", facts)).toBe(
    "web/abababababab alpine:3 cdcdcdcdcdcd",
  );
  checkTag("plain");
  for (const bad of ["{{.Name", "{{if .Name}}x{{end}}", "{{.toString}}"])
    expect(() => checkTag(bad)).toThrow("tag");
  const container = { labels: { app: "web", "com.x/y": "1", other: "2" }, env: ["A=1", "B=x=y", "C"] };
  const taken = extraAttributes(
    { labels: "app,none", "labels-regex": "^com\\.", env: "B,C", "env-regex": "^A$" },
    container,
  );
  expect(Object.fromEntries(taken)).toEqual({ app: "web", "com.x/y": "1", A: "1", B: "x=y" });
  expect(extraAttributes({}, container).size).toBe(0);
});
