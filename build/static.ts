/**
 * Turns a dynamically linked program into a statically started one that carries its loader and libraries.
 *
 *   before                       after
 *   +--------------------+       +--------------------+  e_entry -> the stub; PT_INTERP and PT_DYNAMIC have made room
 *   | Bun's program      |       | Bun's program      |  for the stub's two PT_LOADs: the kernel sees a static program
 *   +--------------------+       +--------------------+
 *                                | rt-start           |  zig-native/start.zig, its parameters filled in: the entry and
 *                                +--------------------+  the header table of before, and where the rest lies
 *                                | ld.so              |  each begins on a page
 *                                | libc.so.6 …        |
 *                                +--------------------+
 *                                | the header table   |  what the kernel reads first is what a file that is cut short
 *                                +--------------------+  lacks: it is refused (EIO), rather than killed half-way (SIGBUS)
 *
 * Not a byte of the program moves. At run time the stub hands ld.so the header table of before, so that ld.so finds the
 * program as the kernel would have left it.
 */
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import {
  Elf,
  encodeProgramHeaders,
  PF_R,
  PF_W,
  PF_X,
  type ProgramHeader,
  PT_DYNAMIC,
  PT_INTERP,
  PT_LOAD,
  PT_NOTE,
  PT_NULL,
  PT_PHDR,
  programHeaderSize,
} from "./elf.ts";

export interface Runtime {
  /** ld.so. */
  interpreter: Uint8Array;
  /** By soname. */
  libraries: ReadonlyMap<string, Uint8Array>;
}

/** What changes in the program's file: `patches` of its own bytes, and the `tail` that follows them. */
export interface Surgery {
  patches: { offset: number; bytes: Uint8Array }[];
  tail: Uint8Array;
}

/** The same on files: `output` becomes the statically started form of `program`. */
export function makeStatic(
  program: string,
  stub: Uint8Array,
  runtime: Runtime,
  pageSize: number,
  output: string,
): void {
  const bytes = readFileSync(program);
  const surgery = operate(bytes, stub, runtime, pageSize);
  for (const patch of surgery.patches) bytes.set(patch.bytes, patch.offset);
  const file = openSync(output, "wx", 0o755);
  try {
    for (const part of [bytes, surgery.tail]) writeAll(file, part);
  } finally {
    closeSync(file);
  }
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at);
}

/** `pageSize` in bytes: the largest of the architecture's kernels. @throws Error for a program that it does not suit */
export function operate(
  programBytes: Uint8Array,
  stubBytes: Uint8Array,
  runtime: Runtime,
  pageSize: number,
): Surgery {
  const program = new Elf(programBytes, "the program");
  const stub = new Elf(new Uint8Array(stubBytes), "the stub");
  const interpreter = new Elf(new Uint8Array(runtime.interpreter), "ld.so");
  checkProgram(program, stub, runtime);

  const tail = new Tail(programBytes.length, pageSize);
  const stubOffset = tail.reserve(stub.bytes.length);
  const interpreterOffset = tail.add(interpreter.bytes);
  const libraries = [...runtime.libraries].map(([name, bytes]) => {
    const library = new Elf(new Uint8Array(bytes), name);
    const offset = tail.add(library.bytes);
    moveSegments(library, offset);
    return { name, offset, headSize: headSize(library, name) };
  });
  const parameters = new Parameters(stub);
  const detoured = detour(interpreter, parameters.detour);
  parameters.program(program);
  parameters.interpreter(interpreter, interpreterOffset, detoured);
  parameters.libraries(libraries);
  const stubLoads = stub
    .segments(PT_LOAD)
    .map((load) => ({ ...load, offset: load.offset + stubOffset, align: pageSize }));
  const tableOffset = tail.add(encodeProgramHeaders(staticTable(program, stubLoads)));
  parameters.fileSize(tail.end);
  tail.put(stub.bytes, stubOffset);
  return {
    patches: [
      { offset: Elf.entryAt, bytes: word(stub.entry) },
      { offset: Elf.tableOffsetAt, bytes: word(tableOffset) },
      // No section says what the stub and the libraries are: strip(1) would lay the file out anew without them. It refuses
      // one that has no sections.
      { offset: Elf.sectionsAt, bytes: word(0) },
      { offset: Elf.sectionCountsAt, bytes: new Uint8Array(4) },
    ],
    tail: tail.bytes(),
  };
}

function checkProgram(program: Elf, stub: Elf, { libraries, interpreter }: Runtime): void {
  if (!program.isFixed)
    throw new Error("the program is position independent: the stub would have to place it");
  if (!program.segments(PT_INTERP)[0]) throw new Error("the program is linked statically already");
  if (!program.segments(PT_PHDR)[0]) throw new Error("the program has no PT_PHDR, by which ld.so finds it");
  const ld = program.text(program.segments(PT_INTERP)[0]!.offset).split("/").at(-1);
  const missing = program.needed.filter((soname) => soname !== ld && !libraries.has(soname));
  if (missing.length > 0) throw new Error(`the program also needs ${missing.join(", ")}`);
  if (!new Elf(interpreter, "ld.so").segments(PT_DYNAMIC)[0]) throw new Error("ld.so is not a shared object");
  const end = Math.max(...program.segments(PT_LOAD).map((load) => load.address + load.memorySize));
  const loads = stub.segments(PT_LOAD);
  if (loads.some((load) => load.address < end))
    throw new Error("the program reaches into the stub's addresses");
  if (loads.some((load) => load.flags & PF_W)) throw new Error("the stub has writable data");
  if (loads.length !== 2) throw new Error(`the stub has ${loads.length} segments, and there is room for two`);
}

/** The table that the kernel reads: as long as the one before, PT_LOADs by address. It is in no segment. */
function staticTable(program: Elf, stubLoads: ProgramHeader[]): ProgramHeader[] {
  const kept = program.programHeaders
    .filter(({ type }) => type !== PT_INTERP && type !== PT_DYNAMIC)
    .map((header) => (header.type === PT_PHDR ? { ...header, type: PT_NULL } : header));
  const lastLoad = kept.findLastIndex(({ type }) => type === PT_LOAD);
  return kept.toSpliced(lastLoad + 1, 0, ...stubLoads);
}

/**
 * Leads ld.so's mmap(2) to `target`, an address that fits in 32 bits (zig-native/start/detour.zig), and says to which
 * address of ld.so it has to come back. The place is known by the test for an error that follows the system call.
 */
function detour(interpreter: Elf, target: number): number {
  const machine = detours[interpreter.machine];
  if (!machine) throw new Error(`no detour is known for ELF machine ${interpreter.machine}`);
  const bytes = Buffer.from(interpreter.bytes.buffer);
  const at = bytes.indexOf(machine.call);
  if (at < 0 || bytes.indexOf(machine.call, at + 1) >= 0)
    throw new Error("this ld.so does not call mmap(2) in the one place where it is looked for");
  const way = machine.way(target);
  bytes.set(way, at);
  return interpreter.addressOf(at) + way.length;
}

const EM_X86_64 = 62;
const EM_AARCH64 = 183;

/** The code that is looked for, and what its beginning becomes. */
const detours: Record<number, { call: Buffer; way: (target: number) => Uint8Array }> = {
  [EM_X86_64]: {
    // mov $9, %eax; syscall; cmp $-4096, %rax
    call: Buffer.from("b809000000" + "0f05" + "483d00f0ffff", "hex"),
    // mov $target, %eax; jmp *%rax
    way: (target) =>
      Buffer.concat([Buffer.from("b8", "hex"), word(target).subarray(0, 4), Buffer.from("ffe0", "hex")]),
  },
  [EM_AARCH64]: {
    // mov x8, #222; svc #0; cmn x0, #1, lsl #12
    call: Buffer.concat([0xd2801bc8, 0xd4000001, 0xb140041f].map((code) => word(code).subarray(0, 4))),
    // movz x8, #low; movk x8, #high, lsl #16; br x8
    way: (target) =>
      Buffer.concat(
        [0xd2800008 + (target & 0xffff) * 32, 0xf2a00008 + (target >>> 16) * 32, 0xd61f0100].map((code) =>
          word(code).subarray(0, 4),
        ),
      ),
  },
};

/**
 * Segments are where `offset` says in rt's file, and marked, so that zig-native/start/detour.zig knows them (beyond 2^32,
 * but well within what a double holds exactly). Notes would be read by the file's offsets, which a stand-in does not have:
 * the system that the library was made for and its build's ID are not needed here.
 */
function moveSegments(library: Elf, offset: number): void {
  const mark = 2 ** 46;
  const moved = library.programHeaders.map((header) => {
    if (header.type === PT_LOAD) return { ...header, offset: mark + offset + header.offset };
    return header.type === PT_NOTE ? { ...header, type: PT_NULL } : header;
  });
  library.bytes.set(encodeProgramHeaders(moved), library.tableOffset);
}

/** How much of a library's beginning ld.so reads before it maps it. */
function headSize(library: Elf, name: string): number {
  const size = library.tableOffset + library.programHeaders.length * programHeaderSize;
  if (size > Parameters.headSizeMax) throw new Error(`the headers of ${name} do not lie at its beginning`);
  return size;
}

/** Fills in the stub's `Parameters` (zig-native/start/loader.zig), which are u64 words in that order. */
class Parameters {
  static readonly magic = "rt-start-params1";
  static readonly programHeadersMax = 16;
  static readonly segmentsMax = 6;
  static readonly librariesMax = 6;
  static readonly libraryNameBytes = 32;
  static readonly headSizeMax = 4096;

  static readonly detourAt = 16;
  static readonly programAt = Parameters.detourAt + 8;
  static readonly tableAt = Parameters.programAt + 2 * 8;
  static readonly interpreterAt = Parameters.tableAt + Parameters.programHeadersMax * programHeaderSize;
  static readonly librariesAt = Parameters.interpreterAt + 5 * 8 + Parameters.segmentsMax * 5 * 8;
  static readonly fileSizeAt =
    Parameters.librariesAt + 8 + Parameters.librariesMax * (2 * 8 + Parameters.libraryNameBytes);

  readonly #stub: Elf;
  readonly #start: number;

  constructor(stub: Elf) {
    this.#stub = stub;
    this.#start = Buffer.from(stub.bytes.buffer).indexOf(Parameters.magic);
    if (this.#start < 0) throw new Error("the stub has no parameters");
  }

  /** The address of the stub's mmap. */
  get detour(): number {
    const bytes = Buffer.from(this.#stub.bytes.buffer);
    return Number(bytes.readBigUInt64LE(this.#start + Parameters.detourAt));
  }

  program(program: Elf): void {
    const headers = program.programHeaders;
    if (headers.length > Parameters.programHeadersMax) throw new Error("too many program headers");
    const table = this.#stub.addressOf(this.#start + Parameters.tableAt);
    const copy = headers.map((header) => (header.type === PT_PHDR ? { ...header, address: table } : header));
    this.#put(Parameters.programAt, word(program.entry), word(headers.length), encodeProgramHeaders(copy));
  }

  /** `at`: where ld.so begins in the file. `afterMmap`: the address of what follows its mmap(2). */
  interpreter(interpreter: Elf, at: number, afterMmap: number): void {
    const loads = interpreter.segments(PT_LOAD);
    if (loads.length > Parameters.segmentsMax) throw new Error("ld.so has too many segments");
    const last = loads.at(-1)!;
    const path = Buffer.from(interpreter.bytes).indexOf("/etc/ld.so.preload\0");
    if (path < 0) throw new Error("this ld.so has no list of libraries to preload");
    const segments = loads.flatMap((load) => [
      word(at + load.offset),
      word(load.address),
      word(load.fileSize),
      word(load.memorySize),
      word(protection(load.flags)),
    ]);
    const span = last.address + last.memorySize;
    const words = [span, interpreter.entry, interpreter.addressOf(path), afterMmap, loads.length];
    this.#put(Parameters.interpreterAt, ...words.map(word), ...segments);
  }

  libraries(libraries: readonly { name: string; offset: number; headSize: number }[]): void {
    if (libraries.length > Parameters.librariesMax) throw new Error("too many libraries");
    const records = libraries.flatMap(({ name, offset, headSize }) => {
      const text = new Uint8Array(Parameters.libraryNameBytes);
      if (new TextEncoder().encodeInto(name, text.subarray(1)).read < name.length)
        throw new Error(`too long: ${name}`);
      return [word(offset), word(headSize), text.copyWithin(0, 1)];
    });
    this.#put(Parameters.librariesAt, word(libraries.length), ...records);
  }

  fileSize(bytes: number): void {
    this.#put(Parameters.fileSizeAt, word(bytes));
  }

  #put(at: number, ...parts: Uint8Array[]): void {
    this.#stub.bytes.set(Buffer.concat(parts), this.#start + at);
  }
}

/** Segment flags -> mmap's PROT bits. */
function protection(flags: number): number {
  return (flags & PF_R ? 1 : 0) | (flags & PF_W ? 2 : 0) | (flags & PF_X ? 4 : 0);
}

/** Pieces behind the program, each on a page of its own. */
class Tail {
  readonly #start: number;
  readonly #pageSize: number;
  readonly #pieces: { offset: number; bytes: Uint8Array }[] = [];
  #end: number;

  constructor(start: number, pageSize: number) {
    this.#start = start;
    this.#pageSize = pageSize;
    this.#end = start;
  }

  /** Where the file ends. */
  get end(): number {
    return this.#end;
  }

  /** File offset of a piece of `size` bytes that is `put` later. */
  reserve(size: number): number {
    const offset = Math.ceil(this.#end / this.#pageSize) * this.#pageSize;
    this.#end = offset + size;
    return offset;
  }

  put(bytes: Uint8Array, offset: number): void {
    this.#pieces.push({ offset, bytes });
  }

  add(bytes: Uint8Array): number {
    const offset = this.reserve(bytes.length);
    this.put(bytes, offset);
    return offset;
  }

  bytes(): Uint8Array {
    const all = new Uint8Array(this.#end - this.#start);
    for (const { offset, bytes } of this.#pieces) all.set(bytes, offset - this.#start);
    return all;
  }
}

function word(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
}
