/** What the kernel's security modules know a container's programs by, and its files; absent: nothing of its own. */
export interface SpecLabels {
  apparmorProfile?: string;
  selinuxLabel?: string;
  mountLabel?: string;
}
