/** The words of a command line up to the cursor, as a shell would take them: the last is the one at the cursor, perhaps empty. */
export function wordsOfLine(line: string): string[] {
  const words: string[] = [];
  let word = "";
  let isOpen = false;
  for (const [, escaped, single, double, space, other] of line.matchAll(
    /\\([\s\S]|$)|'([^']*)(?:'|$)|"((?:\\[\s\S]|[^"\\])*)(?:"|\\?$)|(\s+)|([\s\S])/g,
  )) {
    if (space !== undefined) {
      if (isOpen) words.push(word);
      word = "";
      isOpen = false;
      continue;
    }
    isOpen = true;
    word += escaped ?? single ?? double?.replace(/\\(["\\$`])/g, "$1") ?? other ?? "";
  }
  return [...words, word];
}
