import { runHelper } from "./helper.ts";

/** As for mount(2). */
export interface HostMount {
  at: string;
  type: string;
  device: string;
  flags: number;
  /** MS_PRIVATE and its kin, or 0. */
  propagation: number;
  data: string;
}

/**
 * mount(2) in our own mount namespace, by rt-layer: a server that does not answer makes nobody wait who loses his patience.
 * @returns the name of the kernel's errno; undefined once it is mounted
 * @throws the reason of `abort`, which ends it
 */
export async function mountOnHost(wanted: HostMount, abort?: AbortSignal): Promise<string | undefined> {
  const { errno } = await runHelper("mount", { ...wanted, data: wanted.data || undefined }, abort);
  return String(errno) || undefined;
}
