import { readFileSync } from "node:fs";
import hello from "#native/hello.layout" with { type: "file" };
import { type EmbeddedLayout, MapFiles } from "../registry/embedded.ts";
import { unpackLayout } from "../registry/layout-pack.ts";
import { openPackedApp } from "../registry/packed-app.ts";

/**
 * The OCI layout of an image that travels inside this executable: "hello" in every one, "packed" in a packed app.
 * Undefined where there is none of this name. @throws data-loss: a damaged app
 */
export function embeddedImage(name: string): EmbeddedLayout | undefined {
  if (name === "hello") {
    return { reference: "embed:hello", files: new MapFiles(name, unpackLayout(readFileSync(hello))) };
  }
  const word = process.env.RT_PACKED;
  return name === "packed" && word !== undefined ? openPackedApp(word) : undefined;
}
