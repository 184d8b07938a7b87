import { chmodSync, mkdirSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { withCause } from "../../base/errors.ts";
import { type Address, formatAddress } from "../../network/address.ts";
import { bindFile } from "../../runtime/mount.ts";

const place = "/etc/resolv.conf";

/**
 * /etc/resolv.conf of the machine. Where there is one, on a disk or read-only, ours is bound over it, so that nothing on the disk
 * changes; where there is none, or a link that leads nowhere, it is made.
 */
export class ResolverFile {
  readonly #own: string;
  readonly #isMachine: boolean;
  #isMade: boolean | undefined;
  #isBound = false;

  constructor({ state, isMachine }: { state: string; isMachine: boolean }) {
    this.#own = join(state, "resolv.conf");
    this.#isMachine = isMachine;
  }

  /** @throws RtError */
  write(servers: readonly Address[], search: readonly string[]): void {
    const lines = [
      ...(search.length > 0 ? [`search ${search.join(" ")}`] : []),
      ...servers.map((server) => `nameserver ${formatAddress(server)}`),
    ];
    try {
      this.#place(`${lines.join("\n")}\n`);
    } catch (error) {
      throw withCause(`cannot tell ${place} the name servers`, error);
    }
  }

  #place(text: string): void {
    this.#isMade ??= this.#isMachine && !isFile();
    if (this.#isMade) {
      mkdirSync(dirname(place), { recursive: true });
      writeFileSync(`${place}.rt`, text);
      chmodSync(`${place}.rt`, 0o644); // whatever our umask
      renameSync(`${place}.rt`, place);
      return;
    }
    mkdirSync(dirname(this.#own), { recursive: true, mode: 0o700 });
    // In place: it is the same file that is seen over there.
    writeFileSync(this.#own, text);
    chmodSync(this.#own, 0o644); // whatever our umask
    if (!this.#isBound) bindFile(this.#own, place);
    this.#isBound = true;
  }
}

function isFile(): boolean {
  return statSync(place, { throwIfNoEntry: false })?.isFile() ?? false;
}
