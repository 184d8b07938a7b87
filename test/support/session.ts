import type { Session } from "../../src/engine/session.ts";

/** A caller of the engine without a terminal: what its programs write, and what it is warned of, is kept. */
export interface TestSession extends Session {
  readonly output: { stdout: string; stderr: string };
  readonly warnings: string[];
}

export function testSession(parts: Partial<Session> = {}): TestSession {
  const output = { stdout: "", stderr: "" };
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  const warnings: string[] = [];
  return {
    stdio: {
      kind: "streams",
      output(stream, bytes) {
        output[stream] += decoders[stream].decode(bytes, { stream: true });
        return undefined;
      },
    },
    terminalSize: () => undefined,
    detachKeys: new Uint8Array(),
    warn: (line) => void warnings.push(line),
    abort: new AbortController().signal,
    ...parts,
    output,
    warnings,
  };
}
