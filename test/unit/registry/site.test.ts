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
  ["1.dkr.ecr.us-east-1.amazonaws.com", "2.dkr.ecr.us-east-1.amazonaws.com", false],
  ["a.azurecr.io", "b.azurecr.io", false],
  ["a.eastus.cloudapp.azure.com", "b.eastus.cloudapp.azure.com", false],
  ["registry.cn-hangzhou.aliyuncs.com", "bucket.oss-cn-hangzhou.aliyuncs.com", false],
  ["a.r2.cloudflarestorage.com", "b.r2.cloudflarestorage.com", false],
  ["a.container-registry.ovh.net", "vps-1.vps.ovh.net", false],
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

/** Of every region, and of what the list has below this name, no two registries are one. */
test("no ending below amazonaws.com makes two customers one", async () => {
  const regions = ["us", "eu", "ap", "sa", "ca", "me", "af", "il", "cn", "us-gov", "mx"].flatMap((area) =>
    ["east", "west", "north", "south", "central", "northeast", "southeast"].flatMap((part) =>
      [1, 2, 3].map((number) => `${area}-${part}-${number}`),
    ),
  );
  for (const ending of ["amazonaws.com", "amazonaws.com.cn"]) {
    for (const region of regions) {
      const [a, b] = ["1", "2"].map((customer) => url(`${customer}.dkr.ecr.${region}.${ending}`));
      expect([region, await sameSite(a!, b!)]).toEqual([region, false]);
    }
  }
});

describe("one site or two", () => {
  for (const [a, b, same] of cases) {
    test(`${a} ${b}`, async () => {
      expect(await sameSite(url(a), url(b))).toBe(same);
      expect(await sameSite(url(b), url(a))).toBe(same);
    });
  }
});
