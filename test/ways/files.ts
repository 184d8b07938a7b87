/** Paths of the files of tests, by their names. */
export function cli(...names: readonly string[]): string[] {
  return names.map((name) => `test/cli/${name}.test.ts`);
}

export function attacks(...names: readonly string[]): string[] {
  return names.map((name) => `test/root/attacks/${name}.test.ts`);
}
