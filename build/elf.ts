/** As much of ELF-64, little-endian, as build/static.ts needs: elf(5), System V gABI. Reads and writes in place. */

export const PT_NULL = 0;
export const PT_LOAD = 1;
export const PT_DYNAMIC = 2;
export const PT_INTERP = 3;
export const PT_NOTE = 4;
export const PT_PHDR = 6;

export const PF_X = 1;
export const PF_W = 2;
export const PF_R = 4;

const ET_EXEC = 2;
const DT_NEEDED = 1;
const DT_STRTAB = 5;

export const programHeaderSize = 56;

/** An Elf64_Phdr. Offsets, addresses and sizes in bytes. */
export interface ProgramHeader {
  type: number;
  flags: number;
  offset: number;
  address: number;
  fileSize: number;
  memorySize: number;
  align: number;
}

export class Elf {
  /** Where e_entry and e_phoff stand. */
  static readonly entryAt = 24;
  static readonly tableOffsetAt = 32;
  /** Where e_shoff stands, and e_shnum with e_shstrndx. */
  static readonly sectionsAt = 40;
  static readonly sectionCountsAt = 60;

  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, name: string) {
    const magic = [0x7f, 0x45, 0x4c, 0x46, 2, 1];
    if (bytes.length < 64 || magic.some((byte, index) => bytes[index] !== byte))
      throw new Error(`${name} is not a 64-bit little-endian ELF file`);
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** It runs where it was linked to lie: its addresses are absolute. */
  get isFixed(): boolean {
    return this.#view.getUint16(16, true) === ET_EXEC;
  }

  /** EM_… */
  get machine(): number {
    return this.#view.getUint16(18, true);
  }

  get entry(): number {
    return this.#word(Elf.entryAt);
  }

  set entry(address: number) {
    this.#view.setBigUint64(Elf.entryAt, BigInt(address), true);
  }

  get tableOffset(): number {
    return this.#word(Elf.tableOffsetAt);
  }

  get programHeaders(): ProgramHeader[] {
    return Array.from({ length: this.#view.getUint16(56, true) }, (_, index) => {
      const at = this.tableOffset + index * programHeaderSize;
      return {
        type: this.#view.getUint32(at, true),
        flags: this.#view.getUint32(at + 4, true),
        offset: this.#word(at + 8),
        address: this.#word(at + 16),
        fileSize: this.#word(at + 32),
        memorySize: this.#word(at + 40),
        align: this.#word(at + 48),
      };
    });
  }

  segments(type: number): ProgramHeader[] {
    return this.programHeaders.filter((header) => header.type === type);
  }

  /** File offset of what lies at `address` in memory. */
  offsetOf(address: number): number {
    const holder = this.segments(PT_LOAD).find(
      (load) => address >= load.address && address < load.address + load.fileSize,
    );
    if (!holder) throw new Error(`no segment has the address 0x${address.toString(16)}`);
    return address - holder.address + holder.offset;
  }

  /** Memory address of what lies at `offset` in the file. */
  addressOf(offset: number): number {
    const holder = this.segments(PT_LOAD).find(
      (load) => offset >= load.offset && offset < load.offset + load.fileSize,
    );
    if (!holder) throw new Error(`no segment has the file offset 0x${offset.toString(16)}`);
    return offset - holder.offset + holder.address;
  }

  /** Sonames of DT_NEEDED. */
  get needed(): string[] {
    const dynamic = this.segments(PT_DYNAMIC)[0];
    if (!dynamic) return [];
    const entries = Array.from({ length: dynamic.fileSize / 16 }, (_, index) => ({
      tag: this.#word(dynamic.offset + index * 16),
      value: this.#word(dynamic.offset + index * 16 + 8),
    }));
    const strings = entries.find((entry) => entry.tag === DT_STRTAB);
    if (!strings) throw new Error("a dynamic section without a string table");
    const base = this.offsetOf(strings.value);
    return entries.filter((entry) => entry.tag === DT_NEEDED).map((entry) => this.text(base + entry.value));
  }

  /** The NUL-terminated string at a file offset. */
  text(offset: number): string {
    return Buffer.from(this.bytes.subarray(offset, this.bytes.indexOf(0, offset))).toString("latin1");
  }

  #word(at: number): number {
    return Number(this.#view.getBigUint64(at, true));
  }
}

/** Elf64_Phdr records, one after another. The physical address, which Linux does not read, is the virtual one. */
export function encodeProgramHeaders(headers: readonly ProgramHeader[]): Uint8Array {
  const bytes = new Uint8Array(headers.length * programHeaderSize);
  const view = new DataView(bytes.buffer);
  headers.forEach((header, index) => {
    const at = index * programHeaderSize;
    view.setUint32(at, header.type, true);
    view.setUint32(at + 4, header.flags, true);
    const words = [
      header.offset,
      header.address,
      header.address,
      header.fileSize,
      header.memorySize,
      header.align,
    ];
    words.forEach((word, position) => {
      view.setBigUint64(at + 8 + position * 8, BigInt(word), true);
    });
  });
  return bytes;
}
