import { RtError } from "../../base/errors.ts";
import type { Engine } from "../../engine/engine.ts";
import { Option, RtCommand } from "../command.ts";
import type { OptionSpec } from "../grammar/grammar.ts";
import { commands, groups, wordsOf } from "../table.ts";
import { wordsOfLine } from "./line.ts";
import { type Line, placeOf } from "./place.ts";
import { argumentsOf, type Candidates, valuesOf } from "./values.ts";

/** What the scripts of `rt completion` ask at a tab; see there. It says nothing of what is wrong. */
export default class CompleteCommand extends RtCommand {
  words = Option.Rest({ name: "LINE" });

  override async execute(): Promise<number> {
    const words = wordsOfLine(this.words.join(" ")).slice(1);
    if (words.length === 0) return 0;
    const line = await placeOf(words);
    const {
      words: found,
      files,
      open,
    } = await this.#candidates(line).catch((error): Candidates => {
      if (error instanceof RtError) return { words: [] };
      throw error;
    });
    const start = line.place.kind === "value" ? line.place.start : "";
    const typed = line.place.kind === "value" ? line.place.text : words.at(-1)!;
    const fitting = found.filter(({ word }) => word.startsWith(typed) && !/\p{Cc}/u.test(word));
    const lines = fitting.map(({ word, about }) => start + word + (about ? `\t${about}` : ""));
    if (files) lines.push(":files");
    if (open) lines.push(":open");
    this.context.stdout.write(lines.map((each) => `${each}\n`).join(""));
    return 0;
  }

  async #candidates({ place, given }: Line): Promise<Candidates> {
    const engine = () => this.#engineOf(given);
    switch (place.kind) {
      case "command":
        return { words: await commandWords(place.group) };
      case "flag":
        return {
          words: ownFirst(place.grammar.options, place.path)
            .filter(({ hidden }) => !hidden)
            .flatMap(({ names, description }) =>
              names.map((word) => ({ word, about: description.replace(/^`[^`]*` /, "") })),
            ),
        };
      case "value":
        return valuesOf(place, canonicalPath(place.path), engine);
      case "argument":
        return argumentsOf(place, canonicalPath(place.path), engine);
    }
  }

  /** On the store that the line names. */
  #engineOf(given: ReadonlyMap<string, string>): Promise<Engine> {
    this.root = given.get("--root") ?? this.root;
    this.state = given.get("--state") ?? this.state;
    this.config = given.get("--config") ?? this.config;
    this.storageDriver = given.get("--storage-driver") ?? this.storageDriver;
    return this.engine();
  }
}

/** A command's own flags before those of all. */
function ownFirst(options: readonly OptionSpec[], path: string): OptionSpec[] {
  const ofAll = new Set(["--root", "--state", "--config", "--storage-driver", "--log-level", "--debug"]);
  const isOwn = ({ names }: OptionSpec) => path !== "" && !ofAll.has(names.at(-1)!);
  return [...options.filter(isOwn), ...options.filter((option) => !isOwn(option))];
}

function canonicalPath(path: string): string {
  return commands.get(path)?.paths[0] ?? path;
}

async function commandWords(group: string): Promise<Candidates["words"]> {
  const named = await Promise.all(
    wordsOf(group).map(async (word) => {
      const path = group === "" ? word : `${group} ${word}`;
      const about = (await commands.get(path)!.load()).default.usage?.description;
      return { word, ...(about && { about }) };
    }),
  );
  if (group !== "") return named;
  return [...named, ...[...groups].map(([word, about]) => ({ word, about })), { word: "help" }];
}
