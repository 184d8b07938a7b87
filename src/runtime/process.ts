export { exitProcess } from "../native/ffi.ts";
export { signalProcess } from "../native/system.ts";
