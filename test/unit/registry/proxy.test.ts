import { describe, expect, test } from "bun:test";
import { RtError } from "../../../src/base/errors.ts";
import { ownProxies, ProxySettings } from "../../../src/registry/proxy.ts";

const proxyOf = (env: Record<string, string>, url: string) => new ProxySettings(env).for(new URL(url));

test("which variable, and what of it is told", () => {
  const rows: [env: Record<string, string>, url: string, name: string | undefined][] = [
    [{}, "https://r.test", undefined],
    [{ HTTPS_PROXY: "http://p:3128" }, "https://r.test", "http://p:3128 (HTTPS_PROXY)"],
    [{ HTTPS_PROXY: "http://p:3128" }, "http://r.test", undefined],
    [{ HTTP_PROXY: "http://p:3128/" }, "http://r.test", "http://p:3128 (HTTP_PROXY)"],
    [{ HTTPS_PROXY: "http://p:1", https_proxy: "http://q:2" }, "https://r.test", "http://q:2 (https_proxy)"],
    [{ HTTPS_PROXY: "http://p:1", https_proxy: "" }, "https://r.test", "http://p:1 (HTTPS_PROXY)"],
    [{ ALL_PROXY: "http://a:1", HTTP_PROXY: "http://p:1" }, "https://r.test", "http://a:1 (ALL_PROXY)"],
    [{ HTTPS_PROXY: "p:3128" }, "https://r.test", "http://p:3128 (HTTPS_PROXY)"],
    [{ HTTPS_PROXY: " https://user:secret@p:3128 " }, "https://r.test", "https://p:3128 (HTTPS_PROXY)"],
  ];
  for (const [env, url, name] of rows) expect([env, proxyOf(env, url)?.name]).toEqual([env, name]);
  expect(proxyOf({ HTTPS_PROXY: "user:secret@p:3128" }, "https://r.test")?.url).toBe(
    "http://user:secret@p:3128/",
  );
});

test("what is no proxy is said with its variable, and never with its password", () => {
  const rows: [value: string, code: string, words: string][] = [
    ["not a url", "invalid-argument", "the proxy of HTTPS_PROXY is not an address: http://not a url"],
    ["::::", "invalid-argument", "is not an address"],
    ["http://", "invalid-argument", "is not an address: http://"],
    ["http://user:secret@p:99999", "invalid-argument", "is not an address: http://p:99999"],
    ["user:secret@ p", "invalid-argument", "is not an address: http:// p"],
    ["http://user:sec\nret@ p", "invalid-argument", "is not an address: http:// p"],
    ["socks5://user:secret@p:1", "unsupported", "must be http:// or https://, and is socks5://p:1"],
    ["file:///etc/passwd", "invalid-argument", "is not an address"],
  ];
  for (const [value, code, words] of rows) {
    let error: unknown;
    try {
      proxyOf({ HTTPS_PROXY: value }, "https://r.test");
    } catch (caught) {
      error = caught;
    }
    if (!(error instanceof RtError)) throw new Error(`${value}: want an RtError`, { cause: error });
    expect([value, error.code]).toEqual([value, code as never]);
    expect(error.message).toContain(words);
    expect(error.message).not.toMatch(/secret|ret@/);
  }
  expect(proxyOf({ HTTPS_PROXY: "not a url", NO_PROXY: "r.test" }, "https://r.test")).toBeUndefined();
});

describe("NO_PROXY", () => {
  const rows: [list: string, url: string, excepted: boolean][] = [
    ["*", "https://r.test", true],
    ["r.test", "https://r.test", true],
    ["R.test", "https://r.TEST", true],
    ["r.test", "https://a.r.test", true],
    ["r.test", "https://ar.test", false],
    [".r.test", "https://a.r.test", true],
    [".r.test", "https://r.test", false],
    ["*.r.test", "https://a.r.test", true],
    ["x, r.test ,y", "https://r.test", true],
    ["r.test:443", "https://r.test", true],
    ["r.test:443", "https://r.test:5000", false],
    ["r.test:5000", "https://r.test:5000", true],
    ["10.0.0.1", "https://10.0.0.1", true],
    ["10.0.0.0/8", "https://10.1.2.3:5000", true],
    ["10.0.0.0/8", "https://11.1.2.3", false],
    ["10.0.0.0/33", "https://10.0.0.1", false],
    ["10.0.0.0/8", "https://10.0.0.1.test", false],
    ["2001:db8::/32", "https://[2001:db8::1]", true],
    ["2001:db8::1", "https://[2001:db8::1]:5000", true],
    ["[2001:db8::1]:5000", "https://[2001:db8::1]:5000", true],
    ["2001:db8::/32", "https://10.0.0.1", false],
    [",,", "https://r.test", false],
  ];
  for (const [NO_PROXY, url, excepted] of rows) {
    test(`${NO_PROXY} ${url}`, () =>
      expect(proxyOf({ ALL_PROXY: "http://p:1", NO_PROXY }, url) === undefined).toBe(excepted));
  }

  test("this machine itself is excepted whatever it says", () => {
    for (const url of ["http://localhost:5000", "https://127.0.0.2", "http://[::1]:5000"])
      expect(proxyOf({ ALL_PROXY: "http://p:1" }, url)).toBeUndefined();
  });
});

test("fetch finds none of them", () => {
  const env: NodeJS.ProcessEnv = { HTTPS_PROXY: "http://p:1", no_proxy: "x", PATH: "/bin" };
  ownProxies(env);
  expect([{ PATH: "/bin" }, { HTTPS_PROXY: "http://p:1", no_proxy: "x", PATH: "/bin" }]).toContainEqual(
    env as never,
  );
});
