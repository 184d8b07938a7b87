import { join } from "node:path";
import { openRegular, readRange } from "./file-range.ts";
import { type LayoutFiles, openLayout } from "./layout.ts";
import { localNameOf } from "./local-name.ts";
import type { Source } from "./source.ts";

/** `oci:DIRECTORY[:TAG]`: an OCI layout in a directory. */
export function openOciLayout(name: string, directory: string, tag: string | undefined): Promise<Source> {
  return openLayout(name, new DirectoryFiles(directory), tag, (own) => localNameOf(directory, own));
}

class DirectoryFiles implements LayoutFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async sizeOf(name: string): Promise<number> {
    const path = join(this.#directory, name);
    await using file = await openRegular(path, path);
    return (await file.stat()).size;
  }

  async *stream(name: string, offset: number): AsyncGenerator<Uint8Array> {
    const path = join(this.#directory, name);
    await using file = await openRegular(path, path);
    const { size } = await file.stat();
    yield* readRange(file, offset, size - offset, path);
  }

  async close(): Promise<void> {}
}
