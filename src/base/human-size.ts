/** Bytes in powers of 1000 with three significant digits: "7.83MB", "12B" (go-units HumanSizeWithPrecision). */
export function humanSize(bytes: number, digits = 3): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = bytes;
  let unit = 0;
  // 999.5 would round to 1000 in its own unit.
  while (value >= 1000 - 0.5 * 10 ** (3 - digits) && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${Number(value.toPrecision(digits))}${units[unit]}`;
}
