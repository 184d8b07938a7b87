import type { Session } from "../session.ts";

export function consoleSize(session: Session): { height: number; width: number } | undefined {
  const size = session.terminalSize();
  return size && { height: size.rows, width: size.columns };
}
