import { type Piece, pieces, type Token, templateError, tokens } from "./scan.ts";

/** Go's text/template, the part that people use in `--format`. */
export type Node =
  | { kind: "text"; text: string }
  | { kind: "print"; pipeline: Pipeline }
  | { kind: "if" | "with"; pipeline: Pipeline; body: Node[]; otherwise: Node[] }
  | { kind: "range"; pipeline: Pipeline; body: Node[]; otherwise: Node[] };

export interface Pipeline {
  /** `$k, $v := …`: names with their dollar. */
  declares: string[];
  /** `$v = …`: of a variable that is there already. */
  assigns: boolean;
  commands: Operand[][];
}

export type Operand =
  | { kind: "literal"; value: string | number | boolean | null }
  | { kind: "call"; name: string; at: number }
  /** `.A.B`, `$x.A`, `(…).A`: `base` undefined is the dot. */
  | { kind: "path"; base: string | Pipeline | undefined; keys: string[]; at: number };

export function parseTemplate(template: string): Node[] {
  const parser = new Parser(pieces(template));
  const { nodes, end } = parser.block();
  if (end !== undefined) throw templateError(`:1: unexpected {{${end.word}}}`);
  return nodes;
}

interface End {
  word: "end" | "else";
  rest: Token[];
}

class Parser {
  readonly #pieces: Piece[];
  #next = 0;
  #depth = 0;

  constructor(list: Piece[]) {
    this.#pieces = list;
  }

  /** Nodes up to the `{{end}}` or `{{else}}` that belongs to the caller. */
  block(): { nodes: Node[]; end: End | undefined } {
    const nodes: Node[] = [];
    while (this.#next < this.#pieces.length) {
      const piece = this.#pieces[this.#next++]!;
      if (piece.kind === "text") {
        nodes.push({ kind: "text", text: piece.text });
        continue;
      }
      const [first, ...rest] = tokens(piece);
      if (first === undefined) throw templateError(":1: missing value for command");
      const word = first.kind === "word" ? first.text : "";
      if (word === "end" || word === "else") return { nodes, end: { word, rest } };
      if (word === "if" || word === "with" || word === "range") nodes.push(this.#control(word, rest));
      else nodes.push({ kind: "print", pipeline: parsePipeline([first, ...rest]) });
    }
    return { nodes, end: undefined };
  }

  #control(kind: "if" | "with" | "range", rest: Token[]): Node {
    if (++this.#depth > 100) throw templateError(":1: nested too deeply");
    const pipeline = parsePipeline(rest);
    const { nodes: body, end } = this.block();
    let otherwise: Node[] = [];
    if (end === undefined) throw templateError(`:1: unexpected EOF: {{${kind}}} has no {{end}}`);
    if (end.word === "else") {
      const [again, ...condition] = end.rest;
      if (again?.text === "if" || again?.text === "with") otherwise = [this.#control(again.text, condition)];
      else {
        const last = this.block();
        if (last.end?.word !== "end") throw templateError(`:1: unexpected EOF: {{else}} has no {{end}}`);
        otherwise = last.nodes;
      }
    }
    this.#depth--;
    return { kind, pipeline, body, otherwise };
  }
}

function parsePipeline(list: Token[]): Pipeline {
  const { declares, assigns, used } = declarations(list);
  const reader = new Reader(list.slice(used));
  const commands = reader.commands();
  if (!reader.done) throw templateError(`:1: unexpected ${JSON.stringify(reader.peek?.text)} in command`);
  return { declares, assigns, commands };
}

function declarations(list: Token[]): { declares: string[]; assigns: boolean; used: number } {
  const sign = list.findIndex(({ kind }) => kind === ":=" || kind === "=");
  if (sign < 0) return { declares: [], assigns: false, used: 0 };
  const names = list.slice(0, sign).filter(({ kind }) => kind !== ",");
  const good = names.length > 0 && names.length <= 2 && names.every(({ kind }) => kind === "variable");
  if (!good || sign !== names.length * 2 - 1) throw templateError(":1: bad declaration of a variable");
  return { declares: names.map(({ text }) => text), assigns: list[sign]!.kind === "=", used: sign + 1 };
}

class Reader {
  readonly #list: Token[];
  #next = 0;
  #depth = 0;

  constructor(list: Token[]) {
    this.#list = list;
  }
  get done(): boolean {
    return this.#next >= this.#list.length;
  }
  get peek(): Token | undefined {
    return this.#list[this.#next];
  }

  commands(): Operand[][] {
    const commands: Operand[][] = [];
    for (;;) {
      const command: Operand[] = [];
      while (this.peek && this.peek.kind !== "|" && this.peek.kind !== ")") command.push(this.#operand());
      if (command.length === 0) throw templateError(":1: missing value for command");
      const [first, second] = command;
      if (first?.kind === "literal" && second !== undefined) {
        throw templateError(`:1: can't give argument to non-function ${JSON.stringify(first.value)}`);
      }
      commands.push(command);
      if (this.peek?.kind !== "|") return commands;
      this.#next++;
    }
  }

  #operand(): Operand {
    const token = this.#list[this.#next++]!;
    switch (token.kind) {
      case "string":
        return { kind: "literal", value: unquote(token.text) };
      case "number":
        return { kind: "literal", value: Number(token.text) };
      case "field":
        return { kind: "path", base: undefined, keys: keysOf(token.text), at: token.at };
      case "variable":
        return { kind: "path", base: token.text, keys: this.#tail(), at: token.at };
      case "word":
        return word(token);
      case "(":
        return this.#parenthesis(token);
      default:
        throw templateError(`:1: unexpected ${JSON.stringify(token.text)} in operand`);
    }
  }

  #parenthesis(token: Token): Operand {
    if (++this.#depth > 100) throw templateError(":1: nested too deeply");
    const commands = this.commands();
    if (this.#list[this.#next++]?.kind !== ")") throw templateError(":1: unclosed left paren");
    this.#depth--;
    return {
      kind: "path",
      base: { declares: [], assigns: false, commands },
      keys: this.#tail(),
      at: token.at,
    };
  }

  /** The `.A.B` that follows a variable or a parenthesis at once. */
  #tail(): string[] {
    const token = this.peek;
    if (token?.kind !== "field" || !token.tail) return [];
    this.#next++;
    return keysOf(token.text);
  }
}

function keysOf(field: string): string[] {
  return field === "." ? [] : field.slice(1).split(".");
}

function word(token: Token): Operand {
  if (token.text === "true" || token.text === "false")
    return { kind: "literal", value: token.text === "true" };
  if (token.text === "nil") return { kind: "literal", value: null };
  return { kind: "call", name: token.text, at: token.at };
}

function unquote(text: string): string {
  if (text.startsWith("`")) return text.slice(1, -1);
  try {
    return String(JSON.parse(text.replace(/\\(x([0-9a-fA-F]{2})|a|v|')/g, unescaped)));
  } catch {
    throw templateError(`:1: bad string ${text}`);
  }
}

/** Go's escapes that JSON lacks. */
function unescaped(_all: string, kind: string, hex: string | undefined): string {
  if (hex !== undefined) return `\\u00${hex}`;
  return kind === "a" ? "\\u0007" : kind === "v" ? "\\u000b" : "'";
}
