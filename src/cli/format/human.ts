/** `text` within `columns` characters, an ellipsis being the last when it was longer. */
export function ellipsis(text: string, columns: number): string {
  if (text.length <= columns) return text;
  const characters = [...text];
  return characters.length <= columns ? text : `${characters.slice(0, columns - 1).join("")}…`;
}

/** RFC 3339 -> "2024-05-01 12:00:00 +0000 UTC", as Go prints a time. */
export function goTime(timestamp: string): string {
  const date = new Date(timestamp);
  if (Number.isNaN(date.getTime())) return timestamp;
  return `${date.toISOString().slice(0, 19).replace("T", " ")} +0000 UTC`;
}

/** Bytes in powers of 1024 with four significant digits: "1.5MiB" (go-units BytesSize). */
export function binarySize(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number(value.toPrecision(4))}${units[unit]}`;
}
