import { describe, expect, test } from "bun:test";
import { RtError } from "../../../src/base/errors.ts";
import { canonical, familiar, familiarName, parse, repositoryOf } from "../../../src/reference/reference.ts";

const digest = `sha256:${"ab".repeat(32)}`;

describe("a reference is completed as docker does", () => {
  const cases: [text: string, canonical: string, familiar: string][] = [
    ["alpine", "docker.io/library/alpine:latest", "alpine:latest"],
    ["alpine:3.20", "docker.io/library/alpine:3.20", "alpine:3.20"],
    ["docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest"],
    ["index.docker.io/library/alpine", "docker.io/library/alpine:latest", "alpine:latest"],
    ["a/b:c", "docker.io/a/b:c", "a/b:c"],
    ["docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"],
    ["localhost/a", "localhost/a:latest", "localhost/a:latest"],
    ["localhost:5000/a:1", "localhost:5000/a:1", "localhost:5000/a:1"],
    ["127.0.0.1:5000/a/b/c", "127.0.0.1:5000/a/b/c:latest", "127.0.0.1:5000/a/b/c:latest"],
    ["[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest"],
    ["Upper/a", "Upper/a:latest", "Upper/a:latest"],
    ["ghcr.io/a/b__c.d-e---f", "ghcr.io/a/b__c.d-e---f:latest", "ghcr.io/a/b__c.d-e---f:latest"],
    ["docker.io/localhost/a", "docker.io/localhost/a:latest", "docker.io/localhost/a:latest"],
    [`alpine@${digest}`, `docker.io/library/alpine@${digest}`, `alpine@${digest}`],
    [`alpine:3@${digest}`, `docker.io/library/alpine:3@${digest}`, `alpine:3@${digest}`],
    ["a:_Tag.with-all_1", "docker.io/library/a:_Tag.with-all_1", "a:_Tag.with-all_1"],
  ];
  for (const [text, whole, short] of cases) {
    test(text, () => {
      const reference = parse(text);
      expect(canonical(reference)).toBe(whole);
      expect(familiar(reference)).toBe(short);
      expect(parse(whole)).toEqual(reference);
      expect(parse(short)).toEqual(reference);
    });
  }

  test("the parts", () => {
    expect<unknown>(parse(`r.example:80/a/b:t@${digest}`)).toEqual({
      domain: "r.example:80",
      path: "a/b",
      tag: "t",
      digest,
    });
    expect(parse(`alpine@${digest}`).tag).toBeUndefined();
    expect(repositoryOf(parse("alpine"))).toBe("docker.io/library/alpine");
    expect(familiarName(parse("alpine:1"))).toBe("alpine");
  });
});

describe("a wrong reference is one clear line", () => {
  const hex64 = "a1".repeat(32);
  const cases: [text: string, message: RegExp][] = [
    ["", /it is empty/],
    ["Foo", /repository name \(library\/Foo\) must be lowercase/],
    ["a/Foo:x", /repository name \(a\/Foo\) must be lowercase/],
    ["a//b", /stray slash/],
    ["a/", /stray slash/],
    ["/a", /it is a path/],
    ["a:", /tag ""/],
    ["a:-x", /tag "-x"/],
    [`a:${"x".repeat(129)}`, /tag/],
    ["a..b", /"a..b" must be/],
    ["a/../b", /"\.\." must be/],
    ["-a", /"-a" must be/],
    ["a___b", /must be/],
    ["http://a/b", /"b"|stray|host/],
    ["a@sha256:zz", /want sha256:/],
    ["a@sha512:00", /want sha256:/],
    [`a@${digest}x`, /want sha256:/],
    [hex64, /is an image ID, not a name/],
    ["a.b:99999/c", /port 99999/],
    ["a.b:0/c", /port 0/],
    ["a.b:x/c", /is not a registry's host/],
    ["./layout", /it is a path; images in files are oci:DIR/],
    ["../x.tar", /it is a path/],
    ["/srv/x", /it is a path/],
    ["a_b.c/d", /is not a registry's host/],
    ["-a.b/d", /is not a registry's host/],
    [`r.example/${"a/".repeat(130)}a`, /not be more than 255/],
    ["a".repeat(2000), /too many/],
    ["a\nb", /"a\\nb"/],
    ["a b", /"a b"/],
    ["a\0", /must be/],
    ["a\u001b[31m", /must be/],
  ];
  for (const [text, message] of cases) {
    test(JSON.stringify(text.slice(0, 40)), () => {
      const attempt = () => parse(text);
      expect(attempt).toThrow(RtError);
      expect(attempt).toThrow(message);
      expect(attempt).toThrow(/^invalid reference format: [^\n]*$/);
    });
  }

  test("255 characters are accepted, tags of 128 too", () => {
    const path = "a".repeat(255 - "r.example/".length);
    expect(parse(`r.example/${path}:${"t".repeat(128)}`).path).toBe(path);
    expect(() => parse(`r.example/${path}a`)).toThrow(/255/);
  });
});
