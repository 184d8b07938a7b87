/** What somebody is told whose connection by tcp and TLS does not come about. */
import { expect, test } from "bun:test";
import { Api } from "../../../src/remote/api.ts";
import { dialer, unreachable } from "../../../src/remote/dial.ts";
import type { ClientTls } from "../../../src/remote/tls.ts";
import { testTls } from "../../support/test-tls.ts";

/** @returns what a request of one that is secured so ends in, at an engine whose certificate nobody has vouched for */
async function failure(tls?: ClientTls): Promise<Error> {
  using server = Bun.serve({ port: 0, hostname: "127.0.0.1", tls: testTls, fetch: () => new Response("OK") });
  const address = { kind: "tcp" as const, host: "127.0.0.1", port: server.port! };
  const dial = dialer(address, { tls, env: {}, caller: {} as never, warn: () => {} });
  using api = new Api({ address: `tcp://127.0.0.1:${server.port}`, dial });
  return await api.version().then(
    () => new Error("it answers"),
    (error: unknown) => error as Error,
  );
}

test("a certificate that nobody vouches for is named as the reason", async () => {
  const { message } = await failure({ isVerified: true });
  expect(message).toStartWith("Cannot connect to the Docker daemon at tcp://127.0.0.1:");
  expect(message).toMatch(/self[- ]signed certificate/);
});

test("who speaks without TLS to an engine that has it is told that there is such a thing", async () => {
  expect((await failure()).message).toMatch(
    /^the engine at tcp:\/\/127\.0\.0\.1:\d+ closed the connection .*--tlsverify/,
  );
});

test.each([
  [{ kind: "unix", path: "/nonexistent/rt.sock" }, /Is the docker daemon running\? \(no such socket\)$/],
  [{ kind: "tcp", host: "127.0.0.1", port: 1 }, /Is the docker daemon running\? \(connection refused\)$/],
] as const)("nobody is at %j: why is said", async (address, expected) => {
  const dial = dialer(address, { env: {}, caller: {} as never, warn: () => {} });
  await expect(dial()).rejects.toThrow(expected);
});

test("a socket that somebody may not use is no engine that does not run", () => {
  const error = Object.assign(new Error("Failed to connect"), { code: "EACCES" });
  expect(unreachable({ kind: "unix", path: "/s" }, error)).toMatchObject({
    code: "forbidden",
    message: expect.stringMatching(/^permission denied .* at unix:\/\/\/s: /),
  });
});

test("with --tls alone whoever answers is believed", async () => {
  expect((await failure({ isVerified: false })).message).toMatch(/names no version of the API/);
});
