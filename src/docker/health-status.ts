/** Those of `ps --filter health=`: "none" where nothing is checked. */
export const healthStatuses = ["starting", "healthy", "unhealthy", "none"] as const;

export type HealthStatus = Exclude<(typeof healthStatuses)[number], "none">;

/** In the words of a listing: "healthy", "unhealthy", "health: starting". */
export function healthWords(status: HealthStatus): string {
  return status === "starting" ? "health: starting" : status;
}
