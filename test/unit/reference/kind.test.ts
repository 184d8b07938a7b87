import { expect, test } from "bun:test";
import { isNear, kindOf, type SourceKind } from "../../../src/reference/kind.ts";

const texts: [text: string, kind: SourceKind, rest: string][] = [
  ["alpine:3.20", "registry", "alpine:3.20"],
  ["docker://alpine", "registry", "alpine"],
  ["docker://embed:hello", "registry", "embed:hello"],
  ["oci:dir:tag", "oci", "dir:tag"],
  ["oci:", "oci", ""],
  ["oci/app:1", "registry", "oci/app:1"],
  ["oci-archive:/tmp/a.tar", "oci-archive", "/tmp/a.tar"],
  ["docker-archive:a\nb", "docker-archive", "a\nb"],
  ["embed:hello", "embed", "hello"],
  ["EMBED:hello", "registry", "EMBED:hello"],
  // The first colon counts, and what is before it is a kind as a whole.
  ["my-oci:1", "registry", "my-oci:1"],
  [" oci:dir", "registry", " oci:dir"],
  ["", "registry", ""],
];

test.each(texts)("%j is of kind %s", (text, kind, rest) => {
  expect(kindOf(text)).toEqual({ kind, rest });
  expect(isNear(text)).toBe(kind !== "registry");
});
