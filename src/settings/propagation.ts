/** Of mounts: mount_namespaces(7), with "r" for all that is mounted below too. */
export const propagations: ReadonlySet<string> = new Set(
  "private rprivate shared rshared slave rslave".split(" "),
);
