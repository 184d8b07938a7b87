import { expect, test } from "bun:test";
import { ApiServer } from "../../../src/daemon/server.ts";
import { fakeEngine } from "../../support/fake-engine.ts";
import { testSession } from "../../support/session.ts";
import { until } from "../../support/wait.ts";
import { HeldDuplex } from "../http/support.ts";

async function serverOf(connectionsMax: number) {
  const waiting = Promise.withResolvers<never>();
  const system = { version: () => waiting.promise };
  const fake = fakeEngine({ system });
  const engine = await fake.open(testSession(), {});
  const server = new ApiServer({ engine, onBug: () => {}, connectionsMax });
  const all: Promise<void>[] = [];
  const connect = (facts: object, said = "") => {
    const wire = new HeldDuplex();
    if (said !== "") wire.says(said);
    all.push(server.serve(wire, facts));
    return wire;
  };
  return { server, connect, all, waiting, asked: fake.asked };
}

test("of too many connections of a listener the oldest that asks for nothing goes, and no other listener's", async () => {
  const { server, connect, all } = await serverOf(2);
  const [main, look] = [{}, {}];
  const mine = connect(main);
  const [first, second, third] = [connect(look), connect(look), connect(look)];
  expect([mine, first, second, third].map((wire) => wire.gone.aborted)).toEqual([false, true, false, false]);
  expect(server.connections).toBe(3);
  for (const wire of [mine, second, third]) wire.closed();
  await Promise.all(all);
  expect(server.connections).toBe(0);
  // What has gone has made room, once.
  const again = [connect(look), connect(look)];
  expect(again.map((wire) => wire.gone.aborted)).toEqual([false, false]);
});

test("where each of them asks for something the next one is not heard", async () => {
  const { connect, all, waiting, asked } = await serverOf(1);
  const look = {};
  const asking = connect(look, "GET /version HTTP/1.1\r\nHost: x\r\n\r\n");
  await until("it asks", () => asked.length > 0);
  const next = connect(look);
  expect([asking.gone.aborted, next.gone.aborted]).toEqual([false, true]);
  waiting.reject(new Error("it is over"));
  asking.closed();
  await Promise.all(all);
});
