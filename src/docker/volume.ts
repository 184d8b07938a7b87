/** A volume, in the answers of `volume ls` and `volume inspect` alike. */
export interface VolumeDocument {
  /** RFC 3339, whole seconds. */
  CreatedAt: string;
  Driver: string;
  Labels: Record<string, string> | null;
  Mountpoint: string;
  Name: string;
  Options: Record<string, string> | null;
  Scope: "local";
}

export interface VolumeFacts {
  name: string;
  /** RFC 3339. */
  created: string;
  mountpoint: string;
}

/** What somebody said of it; of a damaged one that is unknown. */
export interface VolumeDescription {
  labels: Readonly<Record<string, string>>;
  options: Readonly<Record<string, string>>;
}

export function volumeDocument(facts: VolumeFacts, said: VolumeDescription | undefined): VolumeDocument {
  return {
    CreatedAt: facts.created.replace(/\.\d+/, ""),
    Driver: "local",
    Labels: filled(said?.labels),
    Mountpoint: facts.mountpoint,
    Name: facts.name,
    Options: filled(said?.options),
    Scope: "local",
  };
}

/** In Go's order; Docker has null where there is nothing. */
function filled(words: Readonly<Record<string, string>> = {}): Record<string, string> | null {
  const sorted = Object.entries(words).sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.length > 0 ? Object.fromEntries(sorted) : null;
}

/** POST /volumes/prune */
export interface PrunedVolumes {
  VolumesDeleted: string[];
  /** Bytes. */
  SpaceReclaimed: number;
}
