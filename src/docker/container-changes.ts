/** An element of GET /containers/NAME/changes: 0 is modified, 1 added, 2 deleted. */
export interface ContainerChangeItem {
  Path: string;
  Kind: 0 | 1 | 2;
}

interface FileChange {
  path: string;
  kind: "C" | "A" | "D";
}

const kinds = ["C", "A", "D"] as const;

/** Docker's document of none is null. */
export function changesDocument(changes: readonly FileChange[]): ContainerChangeItem[] | null {
  if (changes.length === 0) return null;
  return changes.map(({ path, kind }) => ({
    Path: path,
    Kind: kinds.indexOf(kind) as ContainerChangeItem["Kind"],
  }));
}

export function changesOfDocument(document: readonly ContainerChangeItem[] | null): FileChange[] {
  return (document ?? []).map(({ Path, Kind }) => ({ path: Path, kind: kinds[Kind] }));
}
