import { expect, test } from "bun:test";
import { parseAuth, parseRegistryAuth, registryAuthHeader } from "../../../src/docker/registry-auth.ts";

const nobody = { username: "", password: "", identityToken: "", registryToken: "" };
const header = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

test("X-Registry-Auth, there and back", () => {
  const someone = { ...nobody, username: "u", password: "ü?>" };
  expect(parseRegistryAuth(registryAuthHeader(someone))).toEqual(someone);
  expect(parseRegistryAuth(header({ identitytoken: "i", serveraddress: "x" }))).toEqual({
    ...nobody,
    identityToken: "i",
  });
  expect(parseRegistryAuth(header({ registrytoken: "r", unknown: 1 }))).toEqual({
    ...nobody,
    registryToken: "r",
  });
  // Padding, and the other alphabet.
  expect(parseRegistryAuth(Buffer.from('{"username":"ÿÿ?"}').toString("base64"))?.username).toBe("ÿÿ?");
  expect(parseRegistryAuth("e30=")).toEqual(nobody);
});

test("what is none is passed over", () => {
  const none = [undefined, "", "null,", "!!!", header([1]), header({ username: 5 }), header("text")];
  expect(none.map(parseRegistryAuth)).toEqual(none.map(() => undefined));
});

test("the body of a login", () => {
  const asked = parseAuth({ username: "u", password: "p", serveraddress: "https://127.0.0.1:5000" });
  expect(asked).toEqual({
    server: "https://127.0.0.1:5000",
    credentials: { ...nobody, username: "u", password: "p" },
  });
  const auth = Buffer.from("u:p:q").toString("base64");
  expect(parseAuth({ auth }).credentials).toEqual({ ...nobody, username: "u", password: "p:q" });
  expect(parseAuth(undefined)).toEqual({ server: "", credentials: nobody });
  expect(() => parseAuth({ password: [] })).toThrow("invalid credentials: password is not text");
});
