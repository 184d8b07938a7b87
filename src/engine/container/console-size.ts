import type { Session, WindowSize } from "../session.ts";

/** The caller's terminal's, or else what was asked for ahead of him. */
export function consoleSize(
  session: Session,
  otherwise?: WindowSize,
): { height: number; width: number } | undefined {
  const size = session.terminalSize() ?? otherwise;
  return size && { height: size.rows, width: size.columns };
}
