/** The distribution specification's conformance suite against our registry; and against Debian's, which is the measure. */
import { expect } from "bun:test";
import { type ConformanceCase, conformance } from "../support/conformance.ts";
import { testHost } from "../support/host.ts";
import { startRegistry } from "../support/registry.ts";
import { needs } from "../support/root.ts";
import { serveRegistry } from "../support/served.ts";

const { test } = needs({ root: true });
const beside = needs({ root: true, tools: ["docker-registry"] });

test("ours answers every case of all four categories", async () => {
  await using host = await testHost();
  await using served = await serveRegistry(host);
  const cases = await conformance(served.url);
  expect(failed(cases)).toEqual([]);
  expect(cases.length).toBe(75);
  // And again, over what the first run has left.
  expect(failed(await conformance(served.url))).toEqual([]);
});

beside.test("Debian's fails some of them, so they are worth something", async () => {
  await using registry = await startRegistry();
  const cases = await conformance(registry.url);
  expect(new Set(failed(cases).map(({ category }) => category))).toContain("content discovery");
  expect(failed(cases).length).toBeLessThan(cases.length / 2);
  for (const { category, name, error } of failed(cases))
    console.log(`docker-registry: ${category}: ${name}: ${error}`);
});

function failed(cases: ConformanceCase[]): ConformanceCase[] {
  return cases.filter(({ error }) => error !== undefined);
}
