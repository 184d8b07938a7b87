import { RtError } from "../base/errors.ts";

/** An option of all drivers: the largest packet that their interfaces send, in bytes. */
export const mtuOption = "com.docker.network.driver.mtu";

export const mtuWanted = "want 68 to 65535 bytes";

export function isMtu(value: string): boolean {
  return /^\d{1,5}$/.test(value) && Number(value) >= 68 && Number(value) <= 65535;
}

/** @throws RtError invalid-argument */
export function checkMtu(value: string): void {
  if (isMtu(value)) return;
  const message = `invalid option ${mtuOption}=${JSON.stringify(value)}: ${mtuWanted}`;
  throw new RtError("invalid-argument", message, { exitCode: 1 });
}
