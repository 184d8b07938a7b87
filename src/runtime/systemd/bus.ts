import { existsSync } from "node:fs";
import { RtError } from "../../base/errors.ts";
import { rootlessCaller } from "../../base/rootless.ts";
import { userManager } from "../user-manager.ts";
import { type Call, decodeMessage, encodeCall, type Message, messageKinds } from "./message.ts";

interface Place {
  path: string;
  isBus: boolean;
}

/**
 * systemd's own socket, which is root's and needs no daemon beside it; else the system's bus, where it is a peer with a name
 * and tells only who has asked for it. An ordinary user has a systemd of his own.
 */
function places(): Place[] {
  const user = userManager();
  if (user) return user.places;
  return [
    { path: "/run/systemd/private", isBus: false },
    { path: "/run/dbus/system_bus_socket", isBus: true },
  ];
}

const systemd = {
  destination: "org.freedesktop.systemd1",
  path: "/org/freedesktop/systemd1",
  interface: "org.freedesktop.systemd1.Manager",
};
const bus = {
  destination: "org.freedesktop.DBus",
  path: "/org/freedesktop/DBus",
  interface: "org.freedesktop.DBus",
};
const watched = "type='signal',interface='org.freedesktop.systemd1.Manager',member='JobRemoved'";

const patience_ms = 30_000;

/** What systemd refuses, by D-Bus's name of it: "org.freedesktop.systemd1.UnitExists". */
export class UnitRefusal extends Error {
  readonly refusal: string;

  constructor(refusal: string, message: string) {
    super(message);
    this.refusal = refusal;
  }
}

/** A connection to this machine's systemd. Its methods' arguments are those of org.freedesktop.systemd1(5). */
export class Systemd implements Disposable {
  #socket: Bun.Socket | undefined;
  #received: Buffer = Buffer.alloc(0);
  #isAuthenticated = false;
  #serial = 0;
  #failure: Error | undefined;
  #removed: Message[] = [];
  /** Who systemd is on a bus, where anybody may send us what looks like its signals, and only who is asked may answer. */
  #peer: string | undefined;
  #isBus = false;
  readonly #answers = new Map<number, Message>();
  #wake: () => void = () => {};

  /** @throws RtError unavailable: there is none, or it does not let us in */
  static async connect(candidates: readonly Place[] = places()): Promise<Systemd> {
    const place = candidates.find(({ path }) => existsSync(path));
    if (!place) throw unavailable(`there is neither ${candidates.map(({ path }) => path).join(" nor ")}`);
    const connection = new Systemd();
    connection.#isBus = place.isBus;
    try {
      await connection.#open(place.path);
      if (place.isBus) {
        await connection.#ask({ ...bus, member: "Hello", signature: "", body: [] });
        await connection.#ask({ ...bus, member: "AddMatch", signature: "s", body: [watched] });
        await connection.#ask({ ...systemd, member: "Subscribe", signature: "", body: [] });
      }
    } catch (error) {
      connection[Symbol.dispose]();
      throw unavailable(`${place.path}: ${(error as Error).message}`);
    }
    return connection;
  }

  /** @throws UnitRefusal; RtError unavailable: it does not answer */
  call(member: string, signature: string, ...body: unknown[]): Promise<unknown[]> {
    return this.#ask({ ...systemd, member, signature, body }).catch(toldOf);
  }

  /** How a job that one of its methods has begun ends: "done", "failed" … @throws RtError unavailable: it does not say so */
  jobEnd(job: unknown): Promise<string> {
    const isIts = ({ sender }: Message) => !this.#isBus || sender === this.#peer;
    const look = () => {
      const found = this.#removed.find((each) => each.body[1] === job && isIts(each));
      return found && String(found.body[3]);
    };
    return this.#until("the end of a job", look).catch(toldOf);
  }

  [Symbol.dispose](): void {
    this.#socket?.end();
  }

  async #open(path: string): Promise<void> {
    this.#socket = await Bun.connect({
      unix: path,
      socket: {
        data: (_, bytes) => this.#take(bytes),
        close: () => this.#fail(new Error("it has closed the connection")),
        error: (_, error) => this.#fail(error),
      },
    });
    // "AUTH EXTERNAL" with our user in hexadecimal digits of its decimal ones; the kernel tells it who we are.
    const uid = rootlessCaller()?.uid ?? process.geteuid?.() ?? 0;
    const user = Buffer.from(String(uid)).toString("hex");
    this.#write(Buffer.from(`\0AUTH EXTERNAL ${user}\r\n`));
    await this.#until("an answer", () => this.#isAuthenticated || undefined);
    this.#write(Buffer.from("BEGIN\r\n"));
  }

  /** What we say fits into a socket's buffer. */
  #write(bytes: Buffer): void {
    if (this.#socket?.write(bytes) !== bytes.length) throw new Error("it does not read what is written");
  }

  async #ask(call: Call): Promise<unknown[]> {
    const serial = ++this.#serial;
    this.#write(encodeCall(serial, call));
    const answer = await this.#until(`an answer to ${call.member}`, () => this.#answers.get(serial));
    this.#answers.delete(serial);
    if (call.destination === systemd.destination) this.#peer = answer.sender;
    if (answer.kind === messageKinds.error)
      throw new UnitRefusal(answer.error, String(answer.body[0] ?? answer.error));
    return answer.body;
  }

  async #until<T>(what: string, look: () => T | undefined): Promise<T> {
    const deadline = performance.now() + patience_ms;
    while (true) {
      const found = look();
      if (found !== undefined) return found;
      if (this.#failure) throw this.#failure;
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`${what} does not come within ${patience_ms / 1000} seconds`);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const timer = setTimeout(resolve, left);
      await promise;
      clearTimeout(timer);
    }
  }

  #take(bytes: Uint8Array): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    try {
      if (!this.#isAuthenticated) this.#takeLine();
      if (this.#isAuthenticated) this.#takeMessages();
    } catch (error) {
      this.#fail(error as Error);
    }
    this.#wake();
  }

  #takeLine(): void {
    const end = this.#received.indexOf("\r\n");
    if (end < 0 && this.#received.length < 4096) return;
    const line = this.#received.toString("latin1", 0, Math.max(end, 0));
    if (!/^OK\b/.test(line)) throw new Error(`it does not let us in: ${JSON.stringify(line)}`);
    this.#received = this.#received.subarray(end + 2);
    this.#isAuthenticated = true;
  }

  #takeMessages(): void {
    while (true) {
      const found = decodeMessage(this.#received);
      if (!found) return;
      this.#received = this.#received.subarray(found.length);
      const { message } = found;
      const { kind, member } = message;
      if (kind === messageKinds.reply || kind === messageKinds.error)
        this.#answers.set(message.answers, message);
      else if (kind === messageKinds.signal && member === "JobRemoved") this.#removed.push(message);
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }
}

/** What it refuses is an answer; all else is that it gives none. */
function toldOf(error: Error): never {
  throw error instanceof UnitRefusal ? error : unavailable(error.message);
}

function unavailable(why: string): RtError {
  return new RtError("unavailable", `cannot ask systemd: ${why}`);
}
