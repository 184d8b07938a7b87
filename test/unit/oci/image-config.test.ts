import { describe, expect, test } from "bun:test";
import { checkLayerCount, parseImageConfig } from "../../../src/oci/image-config.ts";

const diffID = `sha256:${"ab".repeat(32)}`;
const minimal = { architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [diffID] } };
const parse = (value: unknown) => parseImageConfig(new TextEncoder().encode(JSON.stringify(value)));

describe("an image config", () => {
  test("all that rt uses is read, and nothing else", () => {
    const config = {
      User: "1:2",
      ExposedPorts: { "80/tcp": {} },
      Env: ["A=b", "BARE"],
      Entrypoint: ["/e"],
      Cmd: ["c"],
      Volumes: { "/v": {} },
      WorkingDir: "/w",
      Labels: { a: "b", __proto__x: "y" },
      StopSignal: "SIGINT",
      Healthcheck: { Test: ["CMD", "x"], Interval: 1e9, Retries: 2 },
      Shell: ["/bin/sh", "-c"],
    };
    const history = [{ created_by: "RUN x", empty_layer: true }];
    const whole = {
      ...minimal,
      variant: "v8",
      created: "2020",
      config: { ...config, Hostname: "h" },
      history,
    };
    expect<unknown>(parse(whole)).toEqual({ ...minimal, variant: "v8", created: "2020", config, history });
  });

  test("null is absent, as Go writes it", () => {
    const config = { Env: null, Cmd: null, Entrypoint: null, Volumes: null, Labels: null, Healthcheck: null };
    expect<unknown>(parse({ ...minimal, config, history: null })).toEqual({
      ...minimal,
      config: {},
      history: [],
    });
    expect(parse({ ...minimal, config: null }).config).toEqual({});
    expect(parse({ rootfs: { type: "layers", diff_ids: null } }).rootfs.diff_ids).toEqual([]);
  });

  test("a command that is one string is one word", () => {
    expect(parse({ ...minimal, config: { Entrypoint: "/a b" } }).config.Entrypoint).toEqual(["/a b"]);
  });

  test("a key called __proto__ is a key", () => {
    const text = `{"rootfs":{"type":"layers","diff_ids":[]},"config":{"Labels":{"__proto__":"x"}}}`;
    const labels = parseImageConfig(new TextEncoder().encode(text)).config.Labels ?? {};
    expect(Object.keys(labels)).toEqual(["__proto__"]);
    expect(Object.getPrototypeOf({})).toBe(Object.prototype);
  });

  const wrong: [string, unknown][] = [
    ["no rootfs", {}],
    ["rootfs of another type", { rootfs: { type: "x", diff_ids: [] } }],
    ["a diffID that climbs", { rootfs: { type: "layers", diff_ids: ["sha256:../../x"] } }],
    ["a numeric diffID", { rootfs: { type: "layers", diff_ids: [5] } }],
    ["Env as an object", { ...minimal, config: { Env: {} } }],
    ["Env with a NUL", { ...minimal, config: { Env: ["A=b\0c"] } }],
    ["a numeric user", { ...minimal, config: { User: 0 } }],
    ["a label that is no text", { ...minimal, config: { Labels: { a: 1 } } }],
    ["fractional retries", { ...minimal, config: { Healthcheck: { Retries: 1.5 } } }],
    ["an interval beyond 64 bits", { ...minimal, config: { Healthcheck: { Interval: 2 ** 64 } } }],
    ["history as an object", { ...minimal, history: {} }],
  ];
  for (const [name, value] of wrong) {
    test(`${name} is refused`, () =>
      expect(() => parse(value)).toThrow(/^image config[^\n]* (is|contains) /));
  }

  test("one diffID for each layer", () => {
    const config = parse(minimal);
    checkLayerCount(config, [1], "x");
    expect(() => checkLayerCount(config, [], "x")).toThrow(
      "x has 0 layers but its config names 1 diffIDs: refused",
    );
    expect(() => checkLayerCount(config, [1, 2], "x")).toThrow(/2 layers/);
  });
});
