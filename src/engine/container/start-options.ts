/** What `rt start` was asked for, and what only concerns whoever stands before it. */
export interface StartOptions {
  /** The caller's stdio are the program's until its end. */
  attach: boolean;
  /** With that: the caller's stdin too, where the container has one. */
  stdin: boolean;
  sigProxy: boolean;
  /** Not attached: it runs already, and nothing was done. */
  onUnchanged?: () => void;
}
