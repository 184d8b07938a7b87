import type { Program } from "../runtime/runtime.ts";

/** Programs that this process has executed in containers, and stays with: nobody else reaches their monitors. */
export class LiveExecs {
  readonly #programs = new Map<string, Program>();

  /** Until disposed of. */
  add(id: string, program: Program): Disposable {
    this.#programs.set(id, program);
    return { [Symbol.dispose]: () => void this.#programs.delete(id) };
  }

  get(id: string): Program | undefined {
    return this.#programs.get(id);
  }
}
