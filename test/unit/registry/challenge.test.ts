import { describe, expect, test } from "bun:test";
import { parseChallenges } from "../../../src/registry/challenge.ts";

const plain = (header: string) =>
  parseChallenges(header).map(({ scheme, params }) => [scheme, Object.fromEntries(params)]);

describe("WWW-Authenticate", () => {
  const cases: [header: string, challenges: unknown[]][] = [
    ["", []],
    [" , ,", []],
    ["Basic", [["basic", {}]]],
    ['Basic realm="a b"', [["basic", { realm: "a b" }]]],
    [
      'Bearer realm="https://a/t",service="r",scope="repository:x:pull,push"',
      [["bearer", { realm: "https://a/t", service: "r", scope: "repository:x:pull,push" }]],
    ],
    [
      'Basic realm="x", Bearer realm="y" , service=z',
      [
        ["basic", { realm: "x" }],
        ["bearer", { realm: "y", service: "z" }],
      ],
    ],
    [
      "Negotiate, Basic realm=x",
      [
        ["negotiate", {}],
        ["basic", { realm: "x" }],
      ],
    ],
    [
      "NTLM TlRMTVNTUAA=, Basic",
      [
        ["ntlm", {}],
        ["basic", {}],
      ],
    ],
    ['BEARER REALM = "q\\"uo\\\\te"', [["bearer", { realm: 'q"uo\\te' }]]],
    ['Bearer realm="first",realm="second"', [["bearer", { realm: "first" }]]],
    ['Bearer realm="a,b, Basic realm=c"', [["bearer", { realm: "a,b, Basic realm=c" }]]],
    ["Bearer a=1,,b=2,", [["bearer", { a: "1", b: "2" }]]],
    ["Bearer realm=", [["bearer", {}]]], // a token68, by the grammar
    ['Bearer realm=""', [["bearer", { realm: "" }]]],
  ];
  for (const [header, challenges] of cases) {
    test(JSON.stringify(header), () => expect<unknown>(plain(header)).toEqual(challenges));
  }

  for (const header of [
    'Bearer realm="open',
    'Bearer realm="a\\',
    "=x",
    "Bearer a=1,realm=,",
    '"x"',
    "Bearer realm=a b c\u0001",
    "x".repeat(20_000),
  ]) {
    test(`malformed: ${JSON.stringify(header.slice(0, 30))}`, () => {
      expect(() => parseChallenges(header)).toThrow(/^malformed WWW-Authenticate header: [^\n]*$/);
    });
  }
});
