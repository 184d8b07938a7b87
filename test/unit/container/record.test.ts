import { expect, test } from "bun:test";
import { defaulted, type Infer, integer, object } from "../../../src/base/shape.ts";
import { type ContainerRecord, containerType } from "../../../src/container/record.ts";
import { defaultSettings, settingsFields } from "../../../src/settings/container-settings.ts";
import { decodeRecord, encodeRecord, type RecordType } from "../../../src/store/codec.ts";
import { containerRecord } from "../store/samples.ts";

/** Records as they were written: `container-1-NAME.hex` is the bytes, the .json what they say. Nobody changes these. */
async function stored(name: string): Promise<{ bytes: Uint8Array; says: unknown }> {
  const file = (ending: string) => Bun.file(new URL(`golden/container-1-${name}.${ending}`, import.meta.url));
  const bytes = Uint8Array.fromHex((await file("hex").text()).replaceAll("\n", ""));
  return { bytes, says: await file("json").json() };
}

test.each(["plain", "full"])("the stored record %s is read for ever", async (name) => {
  const { bytes, says } = await stored(name);
  const record: unknown = decodeRecord(containerType, bytes, name);
  // What is added later has its default, and what was there is as it was.
  expect(record).toMatchObject(says as object);
});

test("a setting that is added has its default in the records of yesterday", async () => {
  const shape = object({ ...settingsFields, added: defaulted(integer, -5) });
  const tomorrow: RecordType<Infer<typeof shape>> = { ...containerType, shape };
  for (const name of ["plain", "full"]) {
    const { bytes, says } = await stored(name);
    const record: unknown = decodeRecord(tomorrow, bytes, name);
    expect(record).toMatchObject({ ...(says as object), added: -5 });
  }
  const written = encodeRecord(tomorrow, { ...containerRecord(), added: 7 });
  expect(decodeRecord(tomorrow, written, "c").added).toBe(7);
});

const decided: readonly string[] = ["args", "entrypointLength"];
const names = Object.keys(settingsFields) as (keyof typeof settingsFields)[];

test.each(names.filter((name) => !decided.includes(name)))("a record without %s has the default", (name) => {
  const { [name]: _, ...rest } = containerRecord();
  const bytes = encodeRecord(containerType, rest as ContainerRecord);
  expect(decodeRecord(containerType, bytes, "c")[name]).toEqual(defaultSettings()[name as "env"]);
});

test.each(["id", "name", "image", "chain", "driver", ...decided])("without %s it is none", (name) => {
  const { [name as "id"]: _, ...rest } = containerRecord();
  const bytes = encodeRecord(containerType, rest as ContainerRecord);
  expect(() => decodeRecord(containerType, bytes, "c")).toThrow(`is damaged (${name} is not`);
});

test("a default is each record's own", () => {
  defaultSettings().env.push("A=b");
  expect(defaultSettings().env).toEqual([]);
});
