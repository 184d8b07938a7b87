import { createHmac, randomBytes } from "node:crypto";
import { statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { RtError, withCause } from "../base/errors.ts";
import { quoted } from "../oci/json.ts";
import { ProtocolError } from "./protocol-error.ts";

const bcrypt = /^\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}$/;
const fileSizeMax = 16 << 20;
const verifiedMax = 1000;
/** Each takes a processor for 50 ms and more. */
const checksMax = 2;
const waitingMax = 64;

interface Read {
  /** Of the file as it was read: size and times. */
  version: string;
  hashes: ReadonlyMap<string, string>;
  /** Of a user who is none, so that he takes as long as one who is. */
  nobodys: string;
}

/**
 * The users of an htpasswd file with bcrypt hashes (`htpasswd -B`), read again when the file has changed.
 *
 * What was right once is known again by a keyed hash of user, password and line of the file: a request then costs no bcrypt,
 * and nothing of it is of use to who reads our memory's addresses or a core of another run.
 */
export class Accounts {
  readonly #file: string;
  #read: Read;
  /** Once, however many ask meanwhile: it ends with a hash of the dearest cost. */
  #reading: Promise<Read> | undefined;
  readonly #key = randomBytes(32);
  readonly #verified = new Set<string>();
  #checking = 0;
  readonly #waiting: (() => void)[] = [];

  private constructor(file: string, read: Read) {
    this.#file = file;
    this.#read = read;
  }

  /** @throws RtError not-found | invalid-argument, in one line that names the file */
  static async open(file: string): Promise<Accounts> {
    return new Accounts(file, await readAccounts(file));
  }

  /** Who that is, of an Authorization header; undefined: nobody. @throws ProtocolError TOOMANYREQUESTS */
  async userOf(authorization: string | null): Promise<string | undefined> {
    const given = credentialsIn(authorization);
    if (!given) return undefined;
    const { user, password } = given;
    const { hashes, nobodys } = await this.#current();
    const hash = hashes.get(user);
    const proof = createHmac("sha256", this.#key)
      .update(JSON.stringify([user, password, hash ?? ""]))
      .digest("base64");
    if (this.#verified.has(proof)) return user;
    const isRight = (await this.#check(password, hash ?? nobodys)) && hash !== undefined;
    if (!isRight) return undefined;
    if (this.#verified.size >= verifiedMax) this.#verified.clear();
    this.#verified.add(proof);
    return user;
  }

  /** A file that cannot be read any more changes nothing. */
  async #current(): Promise<Read> {
    try {
      if (versionOf(this.#file) !== this.#read.version) {
        this.#reading ??= readAccounts(this.#file).finally(() => {
          this.#reading = undefined;
        });
        this.#read = await this.#reading;
      }
    } catch (error) {
      if (!(error instanceof RtError)) throw error;
    }
    return this.#read;
  }

  /** Some at a time, in their order. */
  async #check(password: string, hash: string): Promise<boolean> {
    if (this.#checking >= checksMax) {
      if (this.#waiting.length >= waitingMax)
        throw new ProtocolError("TOOMANYREQUESTS", "too many logins at once: try again");
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#checking++;
    try {
      return await Bun.password.verify(password, hash.replace("$2y$", "$2b$"), "bcrypt");
    } finally {
      this.#checking--;
      this.#waiting.shift()?.();
    }
  }
}

function credentialsIn(authorization: string | null): { user: string; password: string } | undefined {
  const encoded = /^Basic +([A-Za-z0-9+/=]{1,4096})$/i.exec(authorization ?? "")?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  if (colon < 1 || text.includes("\0")) return undefined;
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

function versionOf(file: string): string {
  try {
    const { size, mtimeMs, ino } = statSync(file);
    return `${ino} ${size} ${mtimeMs}`;
  } catch (error) {
    throw withCause("cannot read the file of users", error);
  }
}

async function readAccounts(file: string): Promise<Read> {
  const version = versionOf(file);
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw withCause("cannot read the file of users", error);
  }
  if (text.length > fileSizeMax)
    throw new RtError("invalid-argument", `${file} is too large for a file of users`);
  const hashes = new Map<string, string>();
  for (const [i, line] of text.split("\n").entries()) {
    const entry = line.trim();
    if (entry === "" || entry.startsWith("#")) continue;
    const [, user, hash] = /^([^:]+):(.*)$/.exec(entry) ?? [];
    if (user === undefined || hash === undefined)
      throw new RtError(
        "invalid-argument",
        `${file}, line ${i + 1}: want USER:HASH, as htpasswd -B writes it`,
      );
    const cost = Number(bcrypt.exec(hash)?.[1] ?? 0);
    if (cost < 4 || cost > 16)
      throw new RtError(
        "invalid-argument",
        `${file}, line ${i + 1}: the hash of ${quoted(user)} is not bcrypt with a cost of 4 to 16: make it with htpasswd -B`,
      );
    hashes.set(user, hash);
  }
  const costs = [...hashes.values()].map((hash) => Number(bcrypt.exec(hash)![1]));
  const cost = Math.max(4, ...costs);
  const nobodys = await Bun.password.hash(randomBytes(16).toString("hex"), { algorithm: "bcrypt", cost });
  return { version, hashes, nobodys };
}
