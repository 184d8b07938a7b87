/**
 * Every endpoint by `curl --unix-socket`, a session for each family of them: status, type, and the keys of the document, which are
 * those of Docker 28 but for what README.md tells. What a client of version 1.24 is told otherwise is the difference to that of 1.51.
 */
import { describe, expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Router } from "../../../src/daemon/router.ts";
import { type ApiRoute, rows } from "../../../src/daemon/table.ts";
import { type ApiHost, apiHost } from "../../support/api.ts";
import { run } from "../../support/command.ts";
import { type CurlAnswer, type CurlBody, curl, keysOf } from "../../support/curl.ts";
import { needs } from "../../support/root.ts";
import { failureKeys, refused, sessions } from "./curl-sessions.ts";

const { test } = needs({ root: true, tools: ["curl", "tar"] });
const json = "application/json";

/** Archives by the name that sessions call them by. */
async function archivesOf({ host }: ApiHost): Promise<Record<string, string>> {
  const image = join(host.dir, "image.tar");
  await host.ok(["pull", "-q", "embed:hello"]);
  await host.ok(["tag", "embed:hello", "probe:1"]);
  await host.ok(["save", "-o", image, "probe:1"]);
  await host.ok(["rmi", "probe:1", "embed:hello"]);
  writeFileSync(join(host.dir, "file"), "text\n");
  const file = join(host.dir, "file.tar");
  await run(["tar", "-C", host.dir, "-cf", file, "file"]);
  return { image, file };
}

/** A failure also has what the command line ends with, where that is no usual status of it. */
function seen(answer: CurlAnswer): string {
  const keys = keysOf(answer);
  return answer.status < 400 ? keys : keys.replace(" exitCode ", " ");
}

/** "+Key" of what only `now` is without, "-Key" of what only `then` is without. */
function difference(now: string, then: string): string {
  const [newer, older] = [now.split(" "), then.split(" ")];
  const more = older.filter((key) => !newer.includes(key)).map((key) => `+${key}`);
  const less = newer.filter((key) => !older.includes(key)).map((key) => `-${key}`);
  return [...more, ...less].join(" ");
}

describe("by curl", () => {
  for (const [family, visits] of Object.entries(sessions)) {
    test(family, async () => {
      await using api = await apiHost();
      const archives = await archivesOf(api);
      let exec = "";
      for (const [asked, status, keys = "", more = {}] of visits) {
        const now = `${Math.floor(Date.now() / 1000) + 1}`;
        const ask = asked.replace("EXEC", exec).replace("NOW", now);
        const body: CurlBody = { json: more.json, tar: more.tar && archives[more.tar] };
        const answer = await curl(api.path, ask, body);
        const wanted = { status, type: more.type ?? json, keys: status >= 400 ? failureKeys : keys };
        const found = { status: answer.status, type: answer.type, keys: seen(answer) };
        expect({ ask, ...found }).toEqual({ ask, ...wanted });
        if (/^POST .*\/exec$/.test(ask) && status === 201) exec = JSON.parse(answer.text).Id;
        // What has a side, or an end, is the same for both.
        if (!ask.startsWith("GET ") || ask.startsWith("GET /v") || found.type !== json) continue;
        const older = await curl(api.path, ask.replace("GET ", "GET /v1.24"));
        const old = { status: older.status, difference: difference(found.keys, seen(older)) };
        expect({ ask, ...old }).toEqual({ ask, status, difference: more.old ?? "" });
      }
    }, 90_000);
  }
});

test("every row of the table is visited", () => {
  const router = new Router(rows);
  const visited = new Set<ApiRoute>();
  const unknown: readonly string[] = refused;
  for (const [ask] of Object.values(sessions).flat()) {
    const [method = "", target = ""] = ask.split(" ");
    if (!unknown.includes(ask)) visited.add(router.find(method, target).row);
  }
  const missed = rows.filter((row) => !visited.has(row));
  expect(missed.map(({ method, path }) => `${method} ${path}`)).toEqual([]);
});
