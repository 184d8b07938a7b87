import { expect, test } from "bun:test";
import { type ErrorCode, RtError } from "../../../src/base/errors.ts";
import { errorDocument, errorOf } from "../../../src/docker/error-document.ts";

const statuses: [ErrorCode, number][] = [
  ["invalid-argument", 400],
  ["unauthorized", 401],
  ["forbidden", 403],
  ["not-found", 404],
  ["conflict", 409],
  ["unsupported", 501],
  ["unavailable", 503],
  ["exhausted", 507],
  ["data-loss", 500],
  ["cancelled", 500],
  ["internal", 500],
];

test.each(statuses)("%s is %p, and comes back", (code, status) => {
  const document = errorDocument(new RtError(code, "No such container: x"));
  expect(document).toEqual({ status, body: { message: "No such container: x", code } });
  const { code: again, message } = errorOf(document.status, JSON.parse(JSON.stringify(document.body)));
  expect({ again, message }).toEqual({ again: code, message: "No such container: x" });
});

test.each<[number, unknown, ErrorCode, string]>([
  [404, { message: "No such container: x" }, "not-found", "No such container: x"],
  [409, { message: "in use" }, "conflict", "in use"],
  [500, { message: "oh" }, "internal", "oh"],
  [422, {}, "invalid-argument", "the engine answered with status 422"],
  [418, null, "invalid-argument", "the engine answered with status 418"],
  [502, "<html>", "unavailable", "the engine answered with status 502"],
  [500, { message: "", code: "cancelled" }, "cancelled", "the engine answered with status 500"],
  // A class that does not go with the status is none.
  [404, { message: "x", code: "data-loss" }, "not-found", "x"],
  [404, { message: "x", code: "toString" }, "not-found", "x"],
  [404, { message: 5, code: 5 }, "not-found", "the engine answered with status 404"],
])("what another engine says: %p %j", (status, body, code, message) => {
  const error = errorOf(status, body);
  expect([error.code, error.message]).toEqual([code, message]);
});

test("a bug says nothing of itself", () => {
  expect(errorDocument(new TypeError("secret is undefined"))).toEqual({
    status: 500,
    body: { message: "internal error", code: "internal" },
  });
});
