/** A layer's tar stream, still compressed, as it arrives. */
export interface LayerStream {
  mediaType: string;
  /** The file that holds (or is being filled with) the compressed blob. */
  path: string;
  /**
   * Resolves when more bytes than `have` are in the file, with the number of bytes there now and whether that is all.
   * Rejects when the transfer failed; unpacking stops then.
   */
  more(have: number): Promise<{ size: number; done: boolean }>;
}
