/** GET /containers/ID/top: the processes of a container, as ps(1) would show them. */
export interface ProcessTable {
  Titles: string[];
  /** Of each as many as there are titles. */
  Processes: string[][];
}
