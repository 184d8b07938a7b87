/** "vendor.com/class" */
export function isCdiKind(text: string): boolean {
  const parts = text.split("/");
  return parts.length === 2 && parts.every((part) => /^[a-z]([\w.-]*[a-z0-9])?$/i.test(part));
}

/** The name of one of its devices. */
export function isCdiDevice(text: string): boolean {
  return /^[a-z0-9]([\w.:-]*[a-z0-9])?$/i.test(text);
}
