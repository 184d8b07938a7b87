/** RFC 3339 as whole seconds since the epoch, which is how Docker's lists have a time; 0 when nobody says. */
export function secondsOf(timestamp: string): number {
  const time = Date.parse(timestamp);
  return Number.isNaN(time) ? 0 : Math.floor(time / 1000);
}

/** @returns RFC 3339 in UTC; "" for 0 */
export function formatSeconds(seconds: number): string {
  return seconds === 0 ? "" : `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
}

/** A span of time as Docker tells it (go-units HumanDuration). */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < 1) return "Less than a second";
  if (seconds === 1) return "1 second";
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.floor(seconds / 60);
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.floor(seconds / 3600 + 0.5);
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(seconds / 3600 / 24 / 365)} years`;
}

/** A duration as Go prints it: "1m30s", "1.5s", "500ms". */
export function goDuration(nanoseconds: number): string {
  for (const [unit, length] of [
    ["ns", 1e3],
    ["µs", 1e6],
    ["ms", 1e9],
  ] as const) {
    if (nanoseconds < length)
      return nanoseconds === 0 ? "0s" : `${decimal(nanoseconds, length / 1e3)}${unit}`;
  }
  const minutes = Math.floor(nanoseconds / 60e9);
  const rest = `${decimal(nanoseconds - minutes * 60e9, 1e9)}s`;
  if (minutes === 0) return rest;
  return minutes < 60 ? `${minutes}m${rest}` : `${Math.floor(minutes / 60)}h${minutes % 60}m${rest}`;
}

/** Exact, and without zeros at the end. */
function decimal(count: number, one: number): string {
  const fraction = String(count % one).padStart(String(one).length - 1, "0");
  const whole = String(Math.floor(count / one));
  return count % one === 0 ? whole : `${whole}.${fraction.replace(/0+$/, "")}`;
}
