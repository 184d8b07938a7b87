import { readFileSync } from "node:fs";
import hello from "#native/hello.layout" with { type: "file" };
import type { EmbeddedLayout } from "../source/embedded.ts";

/**
 * The OCI layout of an image that travels inside this executable: "hello" in every one, "packed" in a packed app.
 * Undefined where there is none of this name. @throws data-loss: a damaged app
 */
export async function embeddedImage(name: string): Promise<EmbeddedLayout | undefined> {
  if (name === "packed") return (await import("./own.ts")).ownApp();
  if (name !== "hello") return undefined;
  const { MapFiles } = await import("../source/embedded.ts");
  const { unpackLayout } = await import("./layout-format.ts");
  return { reference: "embed:hello", files: new MapFiles(name, unpackLayout(readFileSync(hello))) };
}
