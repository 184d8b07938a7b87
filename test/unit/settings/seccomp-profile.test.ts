import { expect, test } from "bun:test";
import { parseSeccompProfile } from "../../../src/settings/seccomp-profile.ts";

const read = (text: string) => parseSeccompProfile(text, "my.json");
const rule = (members: string) =>
  `{\n"defaultAction": "SCMP_ACT_ALLOW",\n"syscalls": [\n{ ${members} }\n]\n}`;

test("all that Docker's format has", () => {
  const profile = read(`{
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrnoRet": 38,
    "archMap": [
      { "architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"] },
      { "architecture": "SCMP_ARCH_RISCV64", "subArchitectures": null }
    ],
    "flags": ["SECCOMP_FILTER_FLAG_LOG"],
    "listenerPath": "",
    "syscalls": [
      { "names": ["read", "write"], "action": "SCMP_ACT_ALLOW", "args": null, "comment": "", "includes": {}, "excludes": {} },
      { "name": "clone", "names": null, "action": "SCMP_ACT_TRACE", "errnoRet": 7, "comment": "why",
        "args": [
          { "index": 5, "value": 18446744073709551615, "valueTwo": 9007199254740993, "op": "SCMP_CMP_MASKED_EQ" },
          { "index": 0, "value": 0, "op": "SCMP_CMP_NE" }
        ],
        "includes": { "caps": ["CAP_SYS_ADMIN"], "arches": ["amd64"], "minKernel": "4.8" },
        "excludes": { "caps": ["CAP_BPF"] } }
    ]
  }`);
  expect(profile).toEqual({
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: 38,
    archMap: [
      { architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86"] },
      { architecture: "SCMP_ARCH_RISCV64", subArchitectures: [] },
    ],
    flags: ["SECCOMP_FILTER_FLAG_LOG"],
    syscalls: [
      { names: ["read", "write"], action: "SCMP_ACT_ALLOW", includes: {}, excludes: {} },
      {
        names: ["clone"],
        action: "SCMP_ACT_TRACE",
        errnoRet: 7,
        args: [
          { index: 5, value: "18446744073709551615", valueTwo: "9007199254740993", op: "SCMP_CMP_MASKED_EQ" },
          { index: 0, value: 0, op: "SCMP_CMP_NE" },
        ],
        comment: "why",
        includes: { caps: ["CAP_SYS_ADMIN"], arches: ["amd64"], minKernel: "4.8" },
        excludes: { caps: ["CAP_BPF"] },
      },
    ],
  });
});

test("names are found whatever their case, errors have podman's names, and other programs' words are passed over", () => {
  const { defaultErrnoRet, syscalls } = read(`{
    "$schema": "x", "title": 3, "DefaultAction": "SCMP_ACT_ERRNO", "defaultErrno": "ENOSYS", "defaultErrnoRet": 1,
    "Syscalls": [{ "Name": "read", "action": "SCMP_ACT_ERRNO", "errno": "EPERM", "whence": {} }]
  }`);
  expect([defaultErrnoRet, syscalls]).toEqual([
    38,
    [{ names: ["read"], action: "SCMP_ACT_ERRNO", errnoRet: 1 }],
  ]);
});

const allow = '"action": "SCMP_ACT_ALLOW"';

test.each([
  ["", "line 1: want a value, found the end"],
  ["{\n\n,", "line 3: want a member's name, found ,"],
  ['{\n"a": "\n"}', 'line 2: "\\n" has a control character, or an escape that there is not'],
  ['{"a": "', "line 1: a string has no end"],
  ["[]", "line 1: want an object"],
  ["{}", "line 1: defaultAction: it is missing"],
  ['{"defaultAction": null}', "line 1: defaultAction: it is missing"],
  ['{"defaultAction":\n3}', "line 2: defaultAction: want a string"],
  [
    '{"defaultAction": "SCMP_ACT_ALOW"}',
    "line 1: defaultAction: there is no SCMP_ACT_ALOW; did you mean SCMP_ACT_ALLOW?",
  ],
  ['{"defaultAction": "no"}', "there is no no; want one of SCMP_ACT_ALLOW, SCMP_ACT_ERRNO"],
  [
    '{"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1}',
    "defaultErrnoRet: SCMP_ACT_ALLOW answers none",
  ],
  ['{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 4096}', "want a whole number from 0 to 4095"],
  ['{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": -1}', "want a whole number from 0 to 4095"],
  ['{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1.5}', "want a whole number from 0 to 4095"],
  ['{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrno": "EPREM"}', "defaultErrno: EPREM is no errno"],
  [
    '{"defaultAction": "SCMP_ACT_ALLOW",\n"sycalls": []}',
    "line 2: sycalls: there is no such member; did you mean syscalls?",
  ],
  [
    '{"defaultAction": "SCMP_ACT_ALLOW",\n"DefaultAction": "SCMP_ACT_LOG"}',
    "line 2: DefaultAction is here a second time",
  ],
  [
    '{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"], "archMap": [{"architecture": "SCMP_ARCH_X86"}]}',
    "archMap: there is architectures too: of the two a profile has one",
  ],
  [
    '{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["x86"]}',
    "architectures[0]: there is no x86; did you mean SCMP_ARCH_X86?",
  ],
  [
    '{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_NEW_LISTENER"]}',
    "flags[0]: there is no SECCOMP_FILTER_FLAG_NEW_LISTENER; want one of SECCOMP_FILTER_FLAG_TSYNC, ",
  ],
  ['{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": {}}', "syscalls: want a list"],
  ['{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [null]}', "syscalls[0]: want an object"],
  [rule(allow), "line 4: syscalls[0].names: it is missing"],
  [rule('"names": ["a"]'), "line 4: syscalls[0].action: it is missing"],
  [rule(`"names": ["a", 3], ${allow}`), "syscalls[0].names[1]: want a string"],
  [rule(`"names": ["a", ""], ${allow}`), "syscalls[0].names[1]: it is empty: want a system call's name"],
  [
    rule(`"name": "a", "names": ["b"], ${allow}`),
    "syscalls[0].name: there is names too: of the two a rule has one",
  ],
  [rule(`"names": ["a"], ${allow}, "errnoRet": 3`), "syscalls[0].errnoRet: SCMP_ACT_ALLOW answers none"],
  [
    rule(`"names": ["a"], ${allow}, "args": [{"index": 6, "op": "SCMP_CMP_EQ"}]`),
    "args[0].index: want a whole number from 0 to 5",
  ],
  [rule(`"names": ["a"], ${allow}, "args": [{"index": 0, "value": 1}]`), "args[0].op: it is missing"],
  [
    rule(`"names": ["a"], ${allow}, "args": [{"index": 0, "op": "EQ"}]`),
    "args[0].op: there is no EQ; did you mean SCMP_CMP_EQ?",
  ],
  [
    rule(`"names": ["a"], ${allow}, "args": [{"value": 18446744073709551616, "op": "SCMP_CMP_EQ"}]`),
    "args[0].value: want a whole number from 0 to 18446744073709551615",
  ],
  [
    rule(`"names": ["a"], ${allow}, "args": [{"value": "1", "op": "SCMP_CMP_EQ"}]`),
    "args[0].value: want a whole number",
  ],
  [
    rule(`"names": ["a"], ${allow}, "includes": {"cap": ["CAP_BPF"]}`),
    "includes.cap: there is no such member; did you mean caps?",
  ],
  [
    rule(`"names": ["a"], ${allow}, "excludes": {"distro": "x"}`),
    "excludes.distro: no such condition; there are caps, arches, minKernel",
  ],
  [
    rule(`"names": ["a"], ${allow}, "excludes": {"caps": ["SYS_ADMIN"]}`),
    "excludes.caps[0]: there is no SYS_ADMIN; did you mean CAP_SYS_ADMIN?",
  ],
  [
    rule(`"names": ["a"], ${allow}, "includes": {"caps": ["CAP_NOTHING_AT_ALL"]}`),
    "there is no CAP_NOTHING_AT_ALL",
  ],
  [
    rule(`"names": ["a"], ${allow}, "includes": {"minKernel": "4"}`),
    'includes.minKernel: 4 is no version of a kernel: want two numbers, as "4.8"',
  ],
  [rule(`"names": ["a"], ${allow}, "includes": {"minKernel": 4.8}`), "includes.minKernel: want a string"],
  ["[".repeat(100), "line 1: nested more than 32 levels deep"],
  [`"${"x".repeat(1 << 20)}"`, "a profile has at most 1048576 bytes"],
])("%p: %s", (text, message) => {
  expect(() => read(text)).toThrow(message);
  expect(() => read(text)).toThrow(/^my\.json: [^\n]+$/);
});

test.each([
  rule('"names": ["mount"],\n"action": "SCMP_ACT_NOTIFY"').replace("\n}\n]", "}]"),
  '{"defaultAction":\n\n\n\n"SCMP_ACT_NOTIFY"}',
  '{"defaultAction": "SCMP_ACT_ALLOW",\n\n\n\n"listenerPath": "/run/agent"}',
  '{"defaultAction": "SCMP_ACT_ALLOW",\n\n\n\n"listenerMetadata": "x"}',
])("nobody answers for the kernel: %p", (text) => {
  expect(() => read(text)).toThrow(
    /^my\.json: line 5: .*SCMP_ACT_NOTIFY wants a program that answers for the kernel: rt has none$/,
  );
});
