/**
 * The words of a kernel's command line. Between quotes a space is part of a word, as the kernel reads it (lib/cmdline.c,
 * next_arg).
 */
function kernelWords(line: string): string[] {
  const words = line.match(/(?:"[^"]*(?:"|$)|[^\s"])+/g) ?? [];
  return words.map((word) => word.replaceAll('"', ""));
}

/** What the last `NAME=…` says; undefined without one. */
export function kernelWord(line: string, name: string): string | undefined {
  const word = kernelWords(line).findLast((each) => each.startsWith(`${name}=`));
  return word?.slice(name.length + 1);
}
