/** What is asked of each daemon: each answer is looked at, as one that fails is fast. */

import { piecesOf } from "../support/hijack.ts";
import type { Contestant } from "./api.ts";
import { framedBytes } from "./api-client.ts";
import { percentile, type Row } from "./measure.ts";

export interface Work {
  figures: Pick<Row, "name" | "title" | "unit">[];
  /** A round takes seconds: there are few of them. */
  isLong?: boolean;
  /** `times`: over how many the time of processors is to be divided. */
  act(contestant: Contestant): Promise<{ figures: number[]; times: number }>;
}

const connections = 4;
const requests = 200;

const since = (begun: number) => performance.now() - begun;

/** `requests` of them over a few connections, each of which asks when it has been answered. */
async function requestRound(one: (index: number) => Promise<void>) {
  const latencies: number[] = [];
  let asked = 0;
  const begun = performance.now();
  const connection = async () => {
    while (asked < requests) {
      const index = asked++;
      const at = performance.now();
      await one(index);
      latencies.push(since(at));
    }
  };
  await Promise.all(Array.from({ length: connections }, connection));
  return { figures: [since(begun) / requests, percentile(latencies, 0.99)], times: requests };
}

const requestFigures = (name: string, what: string): Work["figures"] => [
  { name, title: `${what}: time for each of ${requests} over ${connections} connections`, unit: "ms" },
  { name: `${name}, p99`, title: `${what}: the slowest of a hundred`, unit: "ms" },
];

export const listWork: Work = {
  figures: requestFigures("list", "a list of 20 containers, 4 of which run"),
  act: ({ client }) =>
    requestRound(async () => {
      const found = await client.json("GET", "/containers/json?all=1", 200);
      const running = found.filter(({ State }: { State: string }) => State === "running");
      if (found.length !== 20 || running.length !== 4)
        throw new Error(`listed ${found.length}, ${running.length} run`);
    }),
};

export const inspectWork: Work = {
  figures: requestFigures("inspect", "what one of 20 containers is"),
  act: ({ client }) =>
    requestRound(async (index) => {
      const name = `listed-${index % 20}`;
      const { Name, State } = await client.json("GET", `/containers/${name}/json`, 200);
      if (Name.replace("/", "") !== name || State.Running !== index % 20 < 4)
        throw new Error(`${name} is ${Name}, ${State.Status}`);
    }),
};

const lives = 5;

/** Each of `clients` has so many containers, one after the other. */
export function lifeWork(clients: number): Work {
  const among = clients === 1 ? "" : `, ${clients} at once`;
  const title = `create, start, wait and remove a container through the API${among}: time for each`;
  return {
    figures: [{ name: `a container's life${among}`, title, unit: "ms" }],
    async act(contestant) {
      const begun = performance.now();
      const client = async () => {
        for (let count = 0; count < lives; count++) await live(contestant);
      };
      await Promise.all(Array.from({ length: clients }, client));
      const times = clients * lives;
      return { figures: [since(begun) / times], times };
    },
  };
}

async function live({ engine, client }: Contestant): Promise<void> {
  const body = engine.api!.document(["sh", "-c", "exit 3"]);
  const { Id } = await client.json("POST", "/containers/create", 201, body);
  await client.request("POST", `/containers/${Id}/start`, 204);
  const { StatusCode } = await client.json("POST", `/containers/${Id}/wait`, 200);
  if (StatusCode !== 3) throw new Error(`it ended with ${StatusCode}`);
  await client.request("DELETE", `/containers/${Id}`, 204);
}

const execs = 5;

export const execWork: Work = {
  figures: [
    { name: "exec", title: "create an exec, start it attached, read it to its end, inspect it", unit: "ms" },
  ],
  async act({ client }) {
    const begun = performance.now();
    for (let count = 0; count < execs; count++) {
      const wanted = { AttachStdout: true, AttachStderr: true, Cmd: ["sh", "-c", "echo said; exit 4"] };
      const { Id } = await client.json("POST", "/containers/listed-0/exec", 201, wanted);
      const wire = await client.hijack(`/exec/${Id}/start`, { Detach: false, Tty: false });
      try {
        if ((await framedBytes(piecesOf(wire))) !== 5) throw new Error("it did not say what it was to say");
      } finally {
        wire.destroy();
      }
      const { ExitCode, Running } = await client.json("GET", `/exec/${Id}/json`, 200);
      if (ExitCode !== 4 || Running) throw new Error(`it ended with ${ExitCode}`);
    }
    return { figures: [since(begun) / execs], times: execs };
  },
};

const attached = 50;

export const attachWork: Work = {
  figures: [
    { name: `${attached} attaches`, title: `${attached} attaches at once, until all are joined`, unit: "ms" },
    {
      name: `${attached} attaches, first byte`,
      title: "and until each has what its program then says",
      unit: "ms",
    },
    { name: `${attached} attaches, end`, title: "and until all have been told of its end", unit: "ms" },
  ],
  async act({ engine, client }) {
    const document = { ...engine.api!.document(["sh", "-c", "read line; echo $line"]), OpenStdin: true };
    const { Id } = await client.json("POST", "/containers/create", 201, document);
    await client.request("POST", `/containers/${Id}/start`, 204);
    const begun = performance.now();
    const output = `/containers/${Id}/attach?stream=1&stdout=1&stderr=1`;
    const wires = await Promise.all(Array.from({ length: attached }, () => client.hijack(output)));
    const figures = [since(begun)];
    const input = await client.hijack(`/containers/${Id}/attach?stream=1&stdin=1`);
    try {
      void input.write(Buffer.from("a line\n"));
      const first = await Promise.all(wires.map((wire) => wire.read()));
      figures.push(since(begun));
      const lengths = await Promise.all(
        wires.map(async (wire, at) => {
          if (!first[at]) return 0;
          wire.unread(first[at]);
          return framedBytes(piecesOf(wire));
        }),
      );
      figures.push(since(begun));
      const wrong = lengths.find((length) => length !== "a line\n".length);
      if (wrong !== undefined) throw new Error(`an attach had ${wrong} bytes`);
    } finally {
      for (const wire of [input, ...wires]) wire.destroy();
      await client.request("DELETE", `/containers/${Id}?force=1`, 204);
    }
    return { figures, times: 1 };
  },
};

const logBytes = 100_000_000;
const line = "a line of a log as programs write them, with a number: 1234567890";

export const logsWork: Work = {
  figures: [{ name: "logs", title: "logs of 100 MB, in lines of 66 bytes, through the API", unit: "ms" }],
  isLong: true,
  async act({ engine, client }) {
    // Written once, the first time.
    const found = await client.json("GET", `/containers/json?all=1&filters={"name":["logged"]}`, 200);
    if (found.length === 0) {
      const program = ["sh", "-c", `yes "${line}" | head -c ${logBytes}`];
      const body = engine.api!.document(program, engine.api!.wholeLog);
      await client.request("POST", "/containers/create?name=logged", 201, body);
      await client.request("POST", "/containers/logged/start", 204);
      await client.request("POST", "/containers/logged/wait", 200);
    }
    const begun = performance.now();
    const bytes = await framedBytes(client.pieces("/containers/logged/logs?stdout=1&stderr=1"));
    if (bytes !== logBytes) throw new Error(`the log has ${bytes} bytes`);
    return { figures: [since(begun)], times: 1 };
  },
};
