import { describe, expect, test } from "bun:test";
import { RtError } from "../../../../src/base/errors.ts";
import { Template } from "../../../../src/cli/format/template.ts";

const data = {
  Name: "web",
  State: { Status: "running", ExitCode: 0, Pid: 42, Paused: false },
  Config: {
    Cmd: ["sh", "-c", "ls"],
    Labels: { "a.b": "x", two: "2" },
    Entrypoint: null,
    Env: ["A=1", "B=2"],
  },
  NetworkSettings: {
    IPAddress: "",
    Networks: { bridge: { IPAddress: "172.17.0.2" }, other: { IPAddress: "10.0.0.2" } },
  },
  Mounts: [
    { Source: "/a", Destination: "/b" },
    { Source: "/c", Destination: "/d" },
  ],
  Greet: (name: string) => `hi ${name}`,
};

const render = (template: string) => new Template(template).render(data);

describe("what scripts use", () => {
  test.each([
    ["plain", "plain"],
    ["{{.Name}}", "web"],
    ["{{ .State.Status }} {{.State.ExitCode}} {{.State.Paused}}", "running 0 false"],
    ["{{json .State}}", '{"Status":"running","ExitCode":0,"Pid":42,"Paused":false}'],
    ["{{json .Config.Entrypoint}} {{json .Name}}", 'null "web"'],
    ["{{.Config.Cmd}}", "[sh -c ls]"],
    ["{{.Config.Labels}}", "map[a.b:x two:2]"],
    ["{{.Config.Labels.two}}{{.Config.Labels.none}}", "2"],
    ['{{index .Config.Labels "a.b"}}{{index .Config.Labels "none"}}', "x"],
    ['{{index .Config.Cmd 2}} {{index .Mounts 1 "Source"}}', "ls /c"],
    ["{{(index .Mounts 0).Destination}}", "/b"],
    ["{{len .Config.Cmd}} {{len .Name}} {{.Config.Env | len}}", "3 3 2"],
    ["{{range .Config.Env}}{{.}};{{end}}", "A=1;B=2;"],
    ["{{range .Config.Env}}{{println .}}{{end}}", "A=1\nB=2\n"],
    ["{{range $i, $e := .Config.Cmd}}{{$i}}={{$e}} {{end}}", "0=sh 1=-c 2=ls "],
    [
      "{{range $k, $v := .NetworkSettings.Networks}}{{$k}}:{{$v.IPAddress}} {{end}}",
      "bridge:172.17.0.2 other:10.0.0.2 ",
    ],
    ["{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}", "172.17.0.2 10.0.0.2 "],
    ["{{range .Mounts}}{{.Source}}->{{$.Name}}{{.Destination}} {{end}}", "/a->web/b /c->web/d "],
    ["{{range .Config.Entrypoint}}x{{else}}none{{end}}", "none"],
    ["{{if .State.Paused}}p{{else if .State.Pid}}up{{else}}down{{end}}", "up"],
    ['{{if eq .State.Status "running" "created"}}y{{end}}', "y"],
    [
      "{{if and .Name (not .State.Paused)}}y{{end}}{{if or .State.Paused .NetworkSettings.IPAddress}}n{{end}}",
      "y",
    ],
    ["{{if gt .State.Pid 41}}y{{end}}{{ne 1 2}}", "ytrue"],
    ["{{with .Config}}{{.Cmd}}{{end}}{{with .Config.Entrypoint}}x{{else}}-{{end}}", "[sh -c ls]-"],
    ["{{with $x := .Name}}{{$x}}{{end}}", "web"],
    ['{{$n := .Name}}{{$n | upper}} {{$n = "z"}}{{$n}}', "WEB z"],
    ['{{join .Config.Cmd ","}} {{title "a b"}} {{lower "AB"}}', "sh,-c,ls A B ab"],
    [
      '{{printf "%s|%5d|%-5s|%05d|%q|%v|%%" .Name .State.Pid "x" 7 "q" .Config.Cmd}}',
      'web|   42|x    |00007|"q"|[sh -c ls]|%',
    ],
    [
      '{{index (split "a:b:c" ":") 1}} {{truncate "abcdef" 3}} {{slice "abcdef" 1 3}} {{pad "x" 1 2}}|',
      "b abc bc  x  |",
    ],
    ['{{print 1 2 "a" "b" 3}} {{"lit"}} {{`raw\\n`}} {{"\\t"}}', "1 2ab3 lit raw\\n \t"],
    ["a {{- .Name -}} b", "awebb"],
    ["{{/* a comment }} */}}x{{- /* trim */ -}} y", "xy"],
    ['{{"}}"}}', "}}"],
    ['{{.Greet "bob"}}', "hi bob"],
    ["{{.Config.Entrypoint}}", "<no value>"],
    ['{{html "<a>"}}', "&#60;a&#62;"],
  ])("%s", (template, expected) => expect(render(template)).toBe(expected));
});

describe("what is wrong is said as Go says it", () => {
  test.each([
    ["{{.Nope}}", ':1:2: executing "" at <.Nope>: map has no entry for key "Nope"'],
    ["ab {{.State.Nope}}", ':1:5: executing "" at <.State.Nope>: map has no entry for key "Nope"'],
    ["{{.Name.X}}", "can't evaluate field X in type string"],
    ["{{.Config.Entrypoint.X}}", "nil pointer evaluating interface {}.X"],
    ["{{.constructor}}", 'map has no entry for key "constructor"'],
    ["{{.Name", ":1: unclosed action"],
    ["{{}}", ":1: missing value for command"],
    ["{{if .Name}}x", "unexpected EOF"],
    ["{{end}}", ":1: unexpected {{end}}"],
    ["{{else}}", ":1: unexpected {{else}}"],
    ["{{nope .}}", ':1: function "nope" not defined'],
    ["{{toString .}}", ':1: function "toString" not defined'],
    ["{{$x}}", 'undefined variable "$x"'],
    ["{{.Name | }}", "missing value for command"],
    ["{{(.Name}}", "unclosed left paren"],
    ["{{.Name )}}", "unexpected"],
    ["{{#}}", 'unexpected "#" in command'],
    ['{{"a" "b"}}', "can't give argument to non-function"],
    ["{{.Name 1}}", "can't give argument to non-function"],
    ["{{index .Config.Cmd 9}}", "index out of range: 9"],
    ["{{range .State.Pid}}{{end}}", "range can't iterate over 42"],
    ["{{lower 1}}", "error calling lower"],
    [`${"{{if 1}}".repeat(500)}`, "nested too deeply"],
    [`{{${"(".repeat(500)}}}`, "nested too deeply"],
  ])("%.60s", (template, expected) => {
    expect(() => render(template)).toThrow(RtError);
    expect(() => render(template)).toThrow(expected);
  });
});
