/** RFC 3339 as whole seconds since the epoch, which is how Docker's lists have a time; 0 when nobody says. */
export function secondsOf(timestamp: string): number {
  const time = Date.parse(timestamp);
  return Number.isNaN(time) ? 0 : Math.floor(time / 1000);
}

/** @returns RFC 3339 in UTC; "" for 0 */
export function formatSeconds(seconds: number): string {
  return seconds === 0 ? "" : `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
}
