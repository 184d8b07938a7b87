/** What is at a path of a container: X-Docker-Container-Path-Stat, in base64, of HEAD and GET /containers/ID/archive. */
export interface PathStat {
  /** The last part of the path. */
  name: string;
  size: number;
  /** Go's os.FileMode. */
  mode: number;
  /** RFC 3339. */
  mtime: string;
  /** An absolute path of the container, where it is a symbolic link; else "". */
  linkTarget: string;
}

/** Bits of Go's os.FileMode above the permissions, which serve for all kinds of files alike. */
export const goMode = {
  directory: 2 ** 31,
  link: 2 ** 27,
  device: 2 ** 26,
  pipe: 2 ** 25,
  setUid: 2 ** 23,
  setGid: 2 ** 22,
  characterDevice: 2 ** 21,
  sticky: 2 ** 20,
} as const;

/** From the bits of chmod(2). @param kind the sum of those of what it is */
export function goModeOf(bits: number, kind: number): number {
  const { setUid, setGid, sticky } = goMode;
  const special = (bits & 0o4000 && setUid) + (bits & 0o2000 && setGid) + (bits & 0o1000 && sticky);
  return kind + special + (bits & 0o777);
}
