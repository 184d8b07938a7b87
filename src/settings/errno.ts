/** errno(3) at their numbers, as x86 and ARM have them alike; those that a filter of system calls may sensibly answer. */
const names =
  "- EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK EBUSY EEXIST EXDEV " +
  "ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK " +
  "ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP";
const known = new Map([
  ...names.split(" ").map((name, number) => [name, number] as const),
  ["EPROTONOSUPPORT", 93],
  ["EOPNOTSUPP", 95],
  ["EAFNOSUPPORT", 97],
]);

export function errnoNumber(name: string): number | undefined {
  return name === "-" ? undefined : known.get(name);
}

/** "EPERM"; a number where it has no name here. */
export function errnoWord(number: number): string {
  for (const [name, each] of known) if (each === number && name !== "-") return name;
  return String(number);
}
