import { invalid, quote } from "../base/invalid.ts";
import { networkOf } from "./namespace-mode.ts";

/** Bits per second, as tc(8) writes them; those that end with "bps" are bytes there. */
const units: Readonly<Record<string, number>> = {
  bit: 1,
  ...{ kbit: 1e3, mbit: 1e6, gbit: 1e9, tbit: 1e12 },
  ...{ kibit: 2 ** 10, mibit: 2 ** 20, gibit: 2 ** 30, tibit: 2 ** 40 },
  ...{ bps: 8, kbps: 8e3, mbps: 8e6, gbps: 8e9, tbps: 8e12 },
  ...{ kibps: 8 * 2 ** 10, mibps: 8 * 2 ** 20, gibps: 8 * 2 ** 30, tibps: 8 * 2 ** 40 },
};

const [smallest, largest] = [8_000, 1e12];

/** "10mbit" in bits per second; "" and "0" are no limit, which is 0. @throws RtError invalid-argument */
export function parseBandwidth(text: string, what: string): number {
  if (text === "" || text === "0") return 0;
  const [, number, unit = ""] = /^(\d{1,15}(?:\.\d{1,6})?)([a-z]+)$/i.exec(text) ?? [];
  const factor = Object.hasOwn(units, unit.toLowerCase()) ? units[unit.toLowerCase()]! : undefined;
  if (number === undefined || factor === undefined)
    throw invalid(
      `invalid ${what} ${quote(text)}: want bits per second, as 500kbit, 10mbit or 1gbit (or bytes, as 1mbps)`,
    );
  return checkBandwidth(Math.round(Number(number) * factor), what, text);
}

/** @throws RtError invalid-argument */
export function checkBandwidth(bits: number, what: string, text = String(bits)): number {
  if (bits === 0 || (bits >= smallest && bits <= largest)) return bits;
  throw invalid(`invalid ${what} ${quote(text)}: want 8kbit to 1tbit, or 0 for no limit`);
}

/** @throws RtError invalid-argument: it is in no network of its own */
export function checkBandwidthMode(
  networkMode: string,
  { bandwidthUp, bandwidthDown }: { bandwidthUp: number; bandwidthDown: number },
): void {
  if (networkOf(networkMode) === undefined && (bandwidthUp > 0 || bandwidthDown > 0))
    throw invalid("conflicting options: a bandwidth and a container that is in no network");
}
