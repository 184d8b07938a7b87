// Generated from zig-native/wire/abi.zig by build.ts. Do not edit.
export const frame_header_bytes = 8;
export const frame_payload_max = 32768;
export const Frame = {
  stdin: 0,
  stdout: 1,
  stderr: 2,
  stdin_eof: 3,
  resize: 4,
  created: 6,
  start: 7,
  started: 8,
  failed: 9,
  exit: 10,
  output_closed: 11,
  warning: 12,
  stdin_taken: 13,
} as const;
export const failure_header_bytes = 8;
export const Stage = {
  request: 1,
  monitor: 2,
  namespace: 3,
  rootfs: 4,
  mount: 5,
  device: 6,
  settings: 7,
  identity: 8,
  cwd: 9,
  exec: 10,
} as const;
/** Byte offsets. */
export const AttachResult = {
  status: 0,
  ended: 4,
  stage: 8,
  errno: 12,
  message_bytes: 16,
  bytes: 20,
} as const;
export const Ended = {
  exit: 1,
  failed: 2,
  lost: 3,
  detached: 4,
} as const;
export const attach_stdin = 1;
export const attach_tty = 2;
export const attach_signals = 4;
export const attach_start = 8;
export const hash = 3933828503;
