import { RtError } from "../../base/errors.ts";
import type { Live } from "../care/reconcile.ts";
import { reconcile } from "../care/reconcile.ts";
import { isUp } from "../container/look.ts";
import { type StopPatience, stop } from "../container/stop.ts";
import type { Host } from "../host.ts";
import { dependenciesOf } from "./dependencies.ts";
import type { EachContainer } from "./each-container.ts";

/** Each has a timeout, and is looked at many times a second. */
const atOnceMax = 32;

/**
 * `rt system down`: all that run get their stop signal, the last that was started first, many at once; what others need waits for
 * them. Nobody has stopped them by hand: `rt system up` starts them again.
 * @param leave those of these names are somebody else's to stop
 */
export async function down(
  host: Host,
  { onDone }: EachContainer,
  { leave = new Set<string>(), ...patience }: StopPatience & { leave?: ReadonlySet<string> } = {},
): Promise<void> {
  const running = (await reconcile(host)).filter(
    ({ container, state }) => isUp(state) && !leave.has(container.name),
  );
  running.sort(byStart).reverse();
  const places = new Places(atOnceMax);
  const ends = new Map<string, Promise<void>>();
  const users = usersOf(running);
  for (const { container } of running) {
    const { id, name } = container;
    const end = Promise.withResolvers<void>();
    ends.set(id, end.promise);
    const others = () => Promise.all((users.get(id) ?? []).map((user) => ends.get(user)));
    const one = async () => {
      await others();
      await places.take(() => stop(host, id, {}, { ...patience, byHand: false }));
    };
    void one()
      .then(
        () => onDone(name, undefined),
        (error) => {
          if (!(error instanceof RtError) || error.code === "cancelled") throw error;
          onDone(name, error);
        },
      )
      .then(end.resolve, end.reject);
  }
  await Promise.all(ends.values());
}

function byStart({ state: a }: Live, { state: b }: Live): number {
  if (a.startedAt === b.startedAt) return 0;
  return a.startedAt < b.startedAt ? -1 : 1;
}

/** Of those that run, who needs each of them. One made later needs one made before, so that there is no circle. */
function usersOf(running: readonly Live[]): Map<string, string[]> {
  const users = new Map<string, string[]>();
  for (const [user, needed] of dependenciesOf(running.map(({ container }) => container))) {
    for (const id of needed) if (id !== user) users.set(id, [...(users.get(id) ?? []), user]);
  }
  return users;
}

/** So many at once, in the order in which they come. */
class Places {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(free: number) {
    this.#free = free;
  }

  async take(work: () => Promise<void>): Promise<void> {
    if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#free--;
    try {
      await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}
