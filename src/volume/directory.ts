import { join } from "node:path";

/** Where a volume's files are. `name` was checked, or made by us. */
export function volumeDirectory(root: string, name: string): string {
  return join(root, "volumes", name, "_data");
}
