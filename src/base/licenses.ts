/** The licences of everything that is inside this executable, as one text; build.ts puts it together. */
export async function licenses(): Promise<string> {
  const { default: text } = await import("#native/licenses.txt", { with: { type: "text" } });
  return text;
}
