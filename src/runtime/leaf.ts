/**
 * The leaf calls of the native library that the engine needs around a container; the engine itself does not import native.
 */
export { exitProcess } from "../native/ffi.ts";
export {
  closeDescriptor,
  endCgroup,
  removeCgroup,
  removeTree,
  signalProcess,
  windowSize,
} from "../native/system.ts";
