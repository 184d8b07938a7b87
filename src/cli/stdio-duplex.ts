import { createReadStream, createWriteStream } from "node:fs";
import { Duplex } from "../http/duplex.ts";

/** This process's stdin and stdout as a connection. */
export function stdioDuplex(): Duplex {
  const input = createReadStream("", { fd: 0, autoClose: false });
  const output = createWriteStream("", { fd: 1, autoClose: false });
  let isFull = false;
  const duplex = new Duplex({
    write(bytes) {
      if (isFull) return 0;
      isFull = !output.write(bytes);
      return bytes.length;
    },
    pause: () => void input.pause(),
    resume: () => void input.resume(),
    end: () => void output.end(() => duplex.closed()),
    terminate: () => {
      input.destroy();
      output.destroy();
    },
  });
  input.on("data", (bytes) => duplex.received(bytes as Uint8Array));
  input.on("end", () => duplex.ended());
  input.on("error", () => duplex.closed());
  output.on("drain", () => {
    isFull = false;
    duplex.drained();
  });
  output.on("error", () => duplex.closed());
  return duplex;
}

/** Each one's bytes to the other, until both have ended. */
export async function join(one: Duplex, other: Duplex): Promise<void> {
  await Promise.all([pour(one, other), pour(other, one)]);
  one.destroy();
  other.destroy();
}

async function pour(from: Duplex, to: Duplex): Promise<void> {
  for (let piece = await from.read(); piece; piece = await from.read()) await to.write(piece);
  to.end();
  await to.flush();
}
