import { invalid } from "../base/invalid.ts";
import { folded, shown } from "./json.ts";

/**
 * JSON that a person wrote: each value with the line it begins on, so that what is wrong with it can be pointed at. Numbers keep
 * their digits, as some have 64 bits. A member that stands twice is a mistake: of the two one would be lost silently.
 */
export interface JsonNode {
  line: number;
  value: JsonNodeValue;
}
export type JsonNodeValue = null | boolean | string | JsonDigits | readonly JsonNode[] | JsonMembers;
/** By `folded` names. */
export type JsonMembers = ReadonlyMap<string, JsonMember>;
/** `name` as it is written. */
export interface JsonMember extends JsonNode {
  name: string;
}
export interface JsonDigits {
  digits: string;
}

const depthMax = 32;

const space = /[ \t\r\n]*/y;
const string = /"(?:[^"\\]|\\.)*"/sy;
const number = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?/y;
const word = /true|false|null/y;

/** @param what is for messages: "FILE" of "FILE: line 3: …" @throws RtError invalid-argument */
export function parseJsonLines(text: string, what: string): JsonNode {
  return new Reader(text, what).whole();
}

/** The same value in as few characters as can be. @param text is JSON */
export function compactJson(text: string): string {
  return text.replace(/("(?:[^"\\]|\\.)*")|[ \t\r\n]+/g, "$1");
}

class Reader {
  readonly #text: string;
  readonly #what: string;
  #at = 0;
  #line = 1;

  constructor(text: string, what: string) {
    this.#text = text.replace(/^\ufeff/, "");
    this.#what = what;
  }

  whole(): JsonNode {
    this.#pass();
    const node = this.#node(0);
    if (this.#at < this.#text.length) throw this.#unexpected("the end");
    return node;
  }

  #node(depth: number): JsonNode {
    const line = this.#line;
    const value = this.#value(depth);
    this.#pass();
    return { line, value };
  }

  #value(depth: number): JsonNodeValue {
    const first = this.#text[this.#at];
    if (first === "{" || first === "[") {
      if (depth === depthMax) throw this.#wrong(`nested more than ${depthMax} levels deep`);
      return first === "{" ? this.#object(depth) : this.#list(depth);
    }
    if (first === '"') return this.#string("a string");
    const digits = this.#take(number);
    if (digits !== undefined) return { digits };
    const found = this.#take(word);
    if (found === undefined) throw this.#unexpected("a value");
    return found === "null" ? null : found === "true";
  }

  #list(depth: number): JsonNode[] {
    const items: JsonNode[] = [];
    this.#at++;
    this.#pass();
    if (this.#skip("]")) return items;
    do items.push(this.#node(depth + 1));
    while (this.#another("]"));
    return items;
  }

  #object(depth: number): JsonMembers {
    const members = new Map<string, JsonMember>();
    this.#at++;
    this.#pass();
    if (this.#skip("}")) return members;
    do {
      const name = this.#string("a member's name");
      if (members.has(folded(name))) throw this.#wrong(`${shown(name)} is here a second time`);
      this.#pass();
      if (!this.#skip(":")) throw this.#unexpected(":");
      members.set(folded(name), { name, ...this.#node(depth + 1) });
    } while (this.#another("}"));
    return members;
  }

  /** After an item: is there one more, or the end? */
  #another(end: string): boolean {
    if (this.#skip(",")) return true;
    if (this.#skip(end)) return false;
    throw this.#unexpected(`, or ${end}`);
  }

  #string(wanted: string): string {
    const found = this.#take(string);
    if (found === undefined) {
      if (this.#text[this.#at] === '"') throw this.#wrong("a string has no end");
      throw this.#unexpected(wanted);
    }
    try {
      return JSON.parse(found);
    } catch {
      throw this.#wrong(`${shown(found)} has a control character, or an escape that there is not`);
    }
  }

  /** `mark`, and the space behind it. */
  #skip(mark: string): boolean {
    if (this.#text[this.#at] !== mark) return false;
    this.#at++;
    this.#pass();
    return true;
  }

  #pass(): void {
    for (const character of this.#take(space) ?? "") if (character === "\n") this.#line++;
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  #unexpected(wanted: string) {
    const [found] = this.#text.slice(this.#at, this.#at + 2);
    return this.#wrong(`want ${wanted}, found ${found === undefined ? "the end" : shown(found)}`);
  }

  #wrong(why: string) {
    return invalid(`${this.#what}: line ${this.#line}: ${why}`);
  }
}
