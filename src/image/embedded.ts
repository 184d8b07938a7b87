import { readFileSync } from "node:fs";
import hello from "#native/hello.layout" with { type: "file" };
import { unpackLayout } from "../registry/layout-pack.ts";

/** The OCI layout of an image that travels inside this executable; undefined where there is none of this name. */
export function embeddedImage(name: string): ReadonlyMap<string, Uint8Array> | undefined {
  return name === "hello" ? unpackLayout(readFileSync(hello)) : undefined;
}
