import { describe, expect, test } from "bun:test";
import { sameSite } from "../../../src/registry/site.ts";

const url = (host: string) => new URL(`https://${host}`);

/** Each pair is asked both ways. */
const cases: [a: string, b: string, same: boolean][] = [
  ["registry-1.docker.io", "auth.docker.io", true],
  ["dhi.io", "auth.docker.io", true],
  ["hub.docker.com", "auth.docker.io", true],
  ["ghcr.io", "ghcr.io", true],
  ["registry.gitlab.com", "gitlab.com", true],
  ["docker.elastic.co", "docker-auth.elastic.co", true],
  ["REGISTRY.elastic.co", "docker-auth.elastic.co.", true],
  ["registry.a.co.uk", "auth.a.co.uk", true],
  ["registry.a.co.uk", "auth.b.co.uk", false],
  ["a.co.uk", "co.uk", false],
  ["good.com", "evil.com", false],
  ["r.good.com", "good.com.evil.org", false],
  // The list's private part: what people rent below somebody's domain.
  ["a.github.io", "b.github.io", false],
  ["x.a.github.io", "y.a.github.io", true],
  ["github.io", "a.github.io", false],
  ["d1.cloudfront.net", "d2.cloudfront.net", false],
  ["a.s3.amazonaws.com", "b.s3.amazonaws.com", false],
  ["x.execute-api.us-east-1.amazonaws.com", "y.execute-api.us-east-1.amazonaws.com", false],
  // Landlords of registries, whom the list does not have.
  ["1.dkr.ecr.eu-central-1.amazonaws.com", "2.dkr.ecr.eu-central-1.amazonaws.com", false],
  ["1.dkr.ecr.eu-central-1.amazonaws.com", "evil.amazonaws.com", false],
  ["1.dkr.ecr.eu-central-1.amazonaws.com", "1.dkr.ecr.eu-central-1.amazonaws.com:444", true],
  ["a.azurecr.io", "b.azurecr.io", false],
  // What the list does not vouch for.
  ["r.corp.internal", "auth.corp.internal", false],
  ["r.home.lan", "auth.home.lan", false],
  ["r.good.example", "auth.good.example", false],
  ["r.example:5000", "r.example:5001", true],
  ["registry", "auth", false],
  ["registry", "registry:444", true],
  ["com", "example.com", false],
  ["10.0.0.1", "10.0.0.2", false],
  ["10.0.0.1", "10.0.0.1:444", true],
  ["[2001:db8::1]", "[2001:db8::2]", false],
  ["127.0.0.1:1", "localhost:2", true],
];

describe("one site or two", () => {
  for (const [a, b, same] of cases) {
    test(`${a} ${b}`, async () => {
      expect(await sameSite(url(a), url(b))).toBe(same);
      expect(await sameSite(url(b), url(a))).toBe(same);
    });
  }
});
