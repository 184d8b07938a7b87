import { RtError } from "./errors.ts";

/**
 * A regular expression whose time grows with the text and with itself, and never beyond: what somebody else wrote must not keep us
 * busy, as (a|a)* would a matcher that tries one way after the other. Here all ways are gone at once (Thompson, 1968), over a
 * program of these steps:
 *
 *   a letter          one letter that `matches`, then `next`
 *   a place           nothing, where it `holds`, then `next`
 *   a fork            nothing, then each of `ways`
 *   the end           it is found
 *
 * What it knows is what Go's have, too: letters, classes, groups, "|", "^", "$", "\b" and repetitions; no lookaround, and nothing
 * that refers back. A letter is a unit of UTF-16.
 */
type Step =
  | { kind: "letter"; matches: (letter: string) => boolean; next: number }
  | { kind: "place"; holds: (text: string, at: number) => boolean; next: number }
  | { kind: "fork"; ways: number[] }
  | { kind: "end" };

type Node =
  | { kind: "letter"; matches: (letter: string) => boolean }
  | { kind: "place"; holds: (text: string, at: number) => boolean }
  | { kind: "all"; parts: Node[] }
  | { kind: "any"; ways: Node[] }
  | { kind: "repeat"; part: Node; min: number; max: number };

const stepsMax = 2000;
const levelsMax = 100;

export class LinearPattern {
  readonly #steps: Step[] = [{ kind: "end" }];
  readonly #start: number;

  /** @throws RtError invalid-argument: it is none, or one that is not known here, or too large */
  constructor(source: string) {
    this.#start = this.#compile(new Parser(source).parse(), 0);
  }

  /** Whether some part of `text` is what it means. */
  test(text: string): boolean {
    const seen = new Int32Array(this.#steps.length).fill(-1);
    let here: number[] = [];
    for (let at = 0; at <= text.length; at++) {
      const letters: number[] = [];
      // It may begin anywhere.
      const left = [this.#start, ...here];
      here = [];
      while (left.length > 0) {
        const number = left.pop()!;
        if (seen[number] === at) continue;
        seen[number] = at;
        const step = this.#steps[number]!;
        if (step.kind === "end") return true;
        if (step.kind === "letter") letters.push(number);
        else if (step.kind === "fork") left.push(...step.ways);
        else if (step.holds(text, at)) left.push(step.next);
      }
      for (const number of letters) {
        const step = this.#steps[number] as Extract<Step, { kind: "letter" }>;
        if (at < text.length && step.matches(text[at]!)) here.push(step.next);
      }
    }
    return false;
  }

  /** @returns the step to begin with, for what then goes on at `next` */
  #compile(node: Node, next: number): number {
    switch (node.kind) {
      case "letter":
      case "place":
        return this.#add({ ...node, next });
      case "all":
        return node.parts.reduceRight((after, part) => this.#compile(part, after), next);
      case "any":
        return this.#add({ kind: "fork", ways: node.ways.map((way) => this.#compile(way, next)) });
      case "repeat":
        return this.#repeated(node, next);
    }
  }

  #repeated({ part, min, max }: Extract<Node, { kind: "repeat" }>, next: number): number {
    let start = next;
    if (max === Number.POSITIVE_INFINITY) {
      const ways = [next];
      start = this.#add({ kind: "fork", ways });
      ways.push(this.#compile(part, start));
    } else {
      for (let count = min; count < max; count++)
        start = this.#add({ kind: "fork", ways: [next, this.#compile(part, start)] });
    }
    for (let count = 0; count < min; count++) start = this.#compile(part, start);
    return start;
  }

  #add(step: Step): number {
    if (this.#steps.length >= stepsMax) throw wrong("it is too large");
    return this.#steps.push(step) - 1;
  }
}

const isWord = (letter: string | undefined) => letter !== undefined && /\w/.test(letter);
const isEdge = (text: string, at: number) => isWord(text[at - 1]) !== isWord(text[at]);

const places: Readonly<Record<string, (text: string, at: number) => boolean>> = {
  "^": (_, at) => at === 0,
  $: (text, at) => at === text.length,
  "\\b": isEdge,
  "\\B": (text, at) => !isEdge(text, at),
};

const opening = /\((?:\?(?::|<[A-Za-z_]\w*>))?(?!\?)/y;
const repetition = /(?:([*+?])|\{(\d{1,4})(,)?(\d{1,4})?\})\??/y;
/** A class, an escape that refers to nothing, or what stands for itself. */
const one = /\[(?:\\.|[^\]\\])*\]|\\(?:x[\da-fA-F]{2}|u[\da-fA-F]{4}|c[A-Za-z]|[^1-9kpPxuc])|[^\\()[|*+?]/sy;

class Parser {
  readonly #source: string;
  #at = 0;
  #level = 0;

  constructor(source: string) {
    this.#source = source;
    try {
      new RegExp(source);
    } catch (error) {
      throw new RtError("invalid-argument", "not a regular expression", { cause: error });
    }
  }

  parse(): Node {
    const whole = this.#ways();
    if (this.#at < this.#source.length) throw wrong("it has what is not known here");
    return whole;
  }

  #ways(): Node {
    const ways = [this.#parts()];
    while (this.#take("|")) ways.push(this.#parts());
    return ways.length === 1 ? ways[0]! : { kind: "any", ways };
  }

  #parts(): Node {
    const parts: Node[] = [];
    for (let part = this.#part(); part; part = this.#part()) parts.push(this.#times(part));
    return { kind: "all", parts };
  }

  #part(): Node | undefined {
    if (this.#match(opening)) {
      if (++this.#level > levelsMax) throw wrong("it is too deep");
      const inner = this.#ways();
      if (!this.#take(")")) throw wrong("it has what is not known here");
      this.#level--;
      return inner;
    }
    const text = this.#match(one)?.[0];
    if (text === undefined) return undefined;
    if (Object.hasOwn(places, text)) return { kind: "place", holds: places[text]! };
    // Of one letter there is but one way.
    const letter = new RegExp(`^${text}$`);
    return { kind: "letter", matches: (each) => letter.test(each) };
  }

  #times(part: Node): Node {
    const [all, sign, least, comma, most] = this.#match(repetition) ?? [];
    if (all === undefined) return part;
    if (sign !== undefined)
      return {
        kind: "repeat",
        part,
        min: sign === "+" ? 1 : 0,
        max: sign === "?" ? 1 : Number.POSITIVE_INFINITY,
      };
    const min = Number(least);
    const max = comma === undefined ? min : most === undefined ? Number.POSITIVE_INFINITY : Number(most);
    return { kind: "repeat", part, min, max };
  }

  #take(mark: string): boolean {
    if (this.#source[this.#at] !== mark) return false;
    this.#at++;
    return true;
  }

  #match(expression: RegExp): RegExpExecArray | undefined {
    expression.lastIndex = this.#at;
    const match = expression.exec(this.#source) ?? undefined;
    if (match) this.#at += match[0].length;
    return match;
  }
}

function wrong(why: string): RtError {
  return new RtError("invalid-argument", `not a regular expression that is known here: ${why}`);
}
