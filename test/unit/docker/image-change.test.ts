import { expect, test } from "bun:test";
import { expandWord, splitWords } from "../../../src/docker/dockerfile-words.ts";
import { mergeChanges, parseImageChanges } from "../../../src/docker/image-change.ts";

const context = { env: ["HOME=/root", "A=1"], workingDirectory: "/w", shell: ["/bin/sh", "-c"] };
const parsed = (...texts: string[]) => parseImageChanges(texts, context);

test("each instruction, in its forms", () => {
  expect(parsed('CMD ["a", "b c"]', "entrypoint run $x")).toEqual({
    Cmd: ["a", "b c"],
    Entrypoint: ["/bin/sh", "-c", "run $x"],
  });
  expect(parsed("CMD", "ENTRYPOINT []")).toEqual({ Cmd: [], Entrypoint: [] });
  expect(parsed("ENV old some value", 'ENV B="x y" C=$old D=a\\ b', "ENV B=2")).toEqual({
    Env: ["old=some value", "C=some value", "D=a b", "B=2"],
  });
  expect(parsed('LABEL a=1 "b c"=2', "LABEL a=3")).toEqual({ Labels: { a: "3", "b c": "2" } });
  expect(parsed("EXPOSE 80 7000-7001/UDP 127.0.0.1:8080:81")).toEqual({
    ExposedPorts: { "80/tcp": {}, "7000/udp": {}, "7001/udp": {}, "81/tcp": {} },
  });
  expect(parsed('VOLUME ["/a b", "$HOME"]', "VOLUME /c /d")).toEqual({
    Volumes: { "/a b": {}, "/root": {}, "/c": {}, "/d": {} },
  });
  expect(parsed("WORKDIR x", "WORKDIR ../y")).toEqual({ WorkingDir: "/w/y" });
  expect(parsed("USER a:b", "STOPSIGNAL 9", "ONBUILD RUN x", "ONBUILD CMD y")).toEqual({
    User: "a:b",
    StopSignal: "9",
    OnBuild: ["RUN x", "CMD y"],
  });
  expect(parsed("HEALTHCHECK --interval=5s --retries=2 CMD a b")).toEqual({
    Healthcheck: { Interval: 5e9, Retries: 2, Test: ["CMD-SHELL", "a b"] },
  });
  expect(parsed('HEALTHCHECK CMD ["a"]', "HEALTHCHECK NONE")).toEqual({ Healthcheck: { Test: ["NONE"] } });
  expect(parsed("# nothing", "", "ENV a=1 \\\n  b=2")).toEqual({ Env: ["a=1", "b=2"] });
});

test("what is none, in docker's words", () => {
  const wrong: [string, string][] = [
    ["RUN x", "RUN is not a valid change command"],
    ["constructor x", "constructor is not a valid change command"],
    ["LABEL", "LABEL requires at least one argument"],
    ["ENV a=1 b", 'Syntax error - can\'t find = in "b". Must be of the form: name=value'],
    ["ENV =x", "ENV names can not be blank"],
    ["WORKDIR", "WORKDIR requires exactly one argument"],
    ["USER a b", "USER requires exactly one argument"],
    ["VOLUME []", "VOLUME requires at least one argument"],
    ['VOLUME [""]', "VOLUME specified can not be an empty string"],
    ["EXPOSE 70000", "invalid containerPort: 70000"],
    ["EXPOSE 80/icmp", "invalid proto: icmp"],
    ["ONBUILD ONBUILD x", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"],
    ["HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD"],
    ["HEALTHCHECK --interval=x CMD a", 'invalid --interval "x": want a duration such as 30s'],
    ["HEALTHCHECK --test=x CMD a", "unknown flag: --test"],
  ];
  for (const [text, message] of wrong) expect(() => parsed(text)).toThrow(message);
  expect(() => parsed("ENV a=\0")).toThrow("has a NUL byte");
});

test("words", () => {
  expect(splitWords(`a "b c"=d 'e f' g\\ h`)).toEqual(["a", '"b c"=d', "'e f'", "g\\ h"]);
  const env = ["A=1", "E=", "A=2", "__proto__=p"];
  const cases: [string, string][] = [
    ["$A/@{A}b", "2/2b"],
    ["$none|@{none:-d$A}|@{A:+yes}|@{none:+no}", "|d2|yes|"],
    ["'$A' \"$A\" \\$A", "$A 2 $A"],
    [`"it's \\"$A\\" \\n"`, `it's "2" \\n`],
    ["@{__proto__} @{E:-x} $ @{", "p x $ @{"],
  ];
  // In a template string the linter would see a mistake.
  const real = (text: string) => text.replaceAll("@{", "$".concat("{"));
  for (const [word, expanded] of cases)
    expect([word, expandWord(real(word), env)]).toEqual([word, real(expanded)]);
});

test("merged with what the container had", () => {
  const had = { Env: ["A=1", "B=2"], Cmd: ["x"], Entrypoint: ["e"], Labels: { a: "1" }, User: "u" };
  expect(mergeChanges({ Env: ["A=9"], Labels: { b: "2" } }, had)).toEqual({
    ...had,
    Env: ["B=2", "A=9"],
    Labels: { a: "1", b: "2" },
  });
  expect(mergeChanges({ Entrypoint: ["n"] }, had)).toEqual({ ...had, Entrypoint: ["n"], Cmd: undefined! });
  expect(mergeChanges({ Entrypoint: ["n"], Cmd: ["c"] }, had)).toMatchObject({ Cmd: ["c"] });
});
