let exit: (status: number) => void = (status) => process.exit(status);

/**
 * End this process at once: not a fall-through, as an idle connection or timer must not keep a finished command alive.
 *
 * Where the native library is loaded this is exit_group(2) itself. The runtime's own way out would close the database, and
 * the last one to close it folds the log into it: four fsyncs and two unlinks that the next command has to undo. The log
 * is as safe as the database and is folded in every 100 pages.
 */
export function leave(status: number): void {
  exit(status);
}

/** The native library's way out: once it is loaded, or there is a database that must not be closed. */
export function setLeave(faster: (status: number) => void): void {
  exit = faster;
}
