/** What POST /containers/prune answers. */
export interface PrunedContainers {
  /** Whole ids. */
  ContainersDeleted: string[];
  /** Bytes of their writable tops. */
  SpaceReclaimed: number;
}
