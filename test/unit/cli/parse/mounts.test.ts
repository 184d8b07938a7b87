import { describe, expect, test } from "bun:test";
import { resolve } from "node:path";
import { RtError } from "../../../../src/base/errors.ts";
import { parseMounts } from "../../../../src/cli/parse/mounts.ts";
import type { MountRequest } from "../../../../src/settings/container-settings.ts";

const volume = (text: string) => parseMounts([text], [], [])[0]!;
const mount = (text: string) => parseMounts([], [text], [])[0]!;
const tmpfs = (text: string) => parseMounts([], [], [text])[0]!;

function bind(source: string, destination: string, more: Partial<MountRequest> = {}): MountRequest {
  return {
    type: "bind",
    source,
    destination,
    readonly: false,
    options: ["rbind", "rprivate"],
    createSource: true,
    labels: {},
    ...more,
  };
}

function named(source: string, destination: string, more: Partial<MountRequest> = {}): MountRequest {
  return { ...bind(source, destination), type: "volume", options: [], createSource: false, ...more };
}

function temporary(destination: string, options: string[], readonly = false): MountRequest {
  return { type: "tmpfs", source: "", destination, readonly, options, createSource: false, labels: {} };
}

describe("-v", () => {
  test.each<[string, MountRequest]>([
    ["/a:/b", bind("/a", "/b")],
    ["/a/../c/:/b/./d//", bind("/c", "/b/d")],
    ["./x:/b", bind(resolve("x"), "/b")],
    ["..:/b", bind(resolve(".."), "/b")],
    ["/a:/b:ro", bind("/a", "/b", { readonly: true })],
    ["/a:/b:rw,z", bind("/a", "/b")],
    ["/a:/b:Z,cached,ro,rslave", bind("/a", "/b", { readonly: true, options: ["rbind", "rslave"] })],
    ["/anonymous", named("", "/anonymous")],
    ["data:/b", named("data", "/b")],
    ["data:/b:nocopy,ro", named("data", "/b", { readonly: true, options: ["nocopy"] })],
    ["/a:/ro", bind("/a", "/ro")],
  ])("%s", (text, expected) => expect(volume(text)).toEqual(expected));
});

describe("--mount", () => {
  test.each<[string, MountRequest]>([
    ["type=bind,src=/a,dst=/b", bind("/a", "/b", { createSource: false })],
    ["type=bind,source=/a,target=/b,readonly", bind("/a", "/b", { createSource: false, readonly: true })],
    ["type=bind,source=/a,destination=/b,ro=false", bind("/a", "/b", { createSource: false })],
    ["TYPE=bind,SRC=/a,dst=/b,ro=1", bind("/a", "/b", { createSource: false, readonly: true })],
    [
      "type=bind,src=/a,dst=/b,bind-propagation=rslave,bind-recursive=disabled",
      bind("/a", "/b", { createSource: false, options: ["bind", "rslave"] }),
    ],
    ['type=bind,"src=/a,b",dst=/b', bind("/a,b", "/b", { createSource: false })],
    ["dst=/b", named("", "/b")],
    [
      "type=volume,src=data,dst=/b,volume-nocopy,volume-label=a=b,volume-label=c",
      named("data", "/b", { options: ["nocopy"], labels: { a: "b", c: "" } }),
    ],
    [
      "type=tmpfs,dst=/b,tmpfs-size=64m,tmpfs-mode=1770",
      temporary("/b", ["noexec", "nosuid", "nodev", "size=67108864", "mode=1770"]),
    ],
  ])("%s", (text, expected) => expect(mount(text)).toEqual(expected));
});

describe("--tmpfs", () => {
  test.each<[string, MountRequest]>([
    ["/x", temporary("/x", ["noexec", "nosuid", "nodev"])],
    ["/x:", temporary("/x", ["noexec", "nosuid", "nodev"])],
    [
      "/x:size=64m,mode=1777,ro",
      temporary("/x", ["noexec", "nosuid", "nodev", "size=64m", "mode=1777"], true),
    ],
    ["/x:exec,suid,rw", temporary("/x", ["exec", "suid", "nodev"])],
    ["/x:size=1m,size=50%,uid=5", temporary("/x", ["noexec", "nosuid", "nodev", "size=50%", "uid=5"])],
  ])("%s", (text, expected) => expect(tmpfs(text)).toEqual(expected));
});

describe("what is wrong is said", () => {
  test.each<[() => unknown, string]>([
    [() => volume(""), "want [SOURCE:]DESTINATION[:MODE]"],
    [() => volume("/a:/b:ro:x"), "want [SOURCE:]DESTINATION[:MODE]"],
    [() => volume("/a:"), "want [SOURCE:]DESTINATION[:MODE]"],
    [() => volume("/a:ro"), "has a mode but no source"],
    [() => volume("/a:b"), '"b" must be an absolute path'],
    [() => volume("a"), '"a" must be an absolute path'],
    [() => volume("/a:/"), 'the destination cannot be "/"'],
    [() => volume("/a:/b/.."), 'the destination cannot be "/"'],
    [() => volume("/a:/b:zz"), 'bad mode "zz"'],
    [() => volume("/a:/b:ro,rw"), 'bad mode "ro,rw"'],
    [() => volume("/a:/b:constructor"), 'bad mode "constructor"'],
    [() => volume("a/b:/c"), '"a/b" is not a volume\'s name'],
    [() => volume("x:/c"), '"x" is not a volume\'s name'],
    [() => volume("data:/c:rslave"), "rslave is for host directories only"],
    [() => volume("/a:/c:nocopy"), "nocopy is for volumes only"],
    [() => volume("/a\n:/c"), "has a control character"],
    [() => mount("type=bind,src=/a"), "target is required"],
    [() => mount("type=bind,dst=/a"), "source is required for type bind"],
    [() => mount("type=bind,src=a,dst=/a"), "source must be an absolute path"],
    [() => mount("type=nfs,dst=/a"), 'type "nfs" is not bind, volume or tmpfs'],
    [() => mount("dst=/a,what=1"), 'unexpected key "what"'],
    [() => mount("dst"), 'field "dst" must be key=value'],
    [() => mount("dst=/a,ro=maybe"), 'readonly wants true or false, not "maybe"'],
    [() => mount("type=bind,src=/a,dst=/b,tmpfs-size=1"), "cannot use tmpfs-size with type bind"],
    [() => mount("type=bind,src=/a,dst=/b,volume-label=a"), "cannot use volume-label with type bind"],
    [() => mount("type=bind,src=/a,dst=/b,bind-propagation=x"), 'no bind-propagation "x"'],
    [() => mount("type=tmpfs,src=/a,dst=/b"), "type tmpfs has no source"],
    [() => mount("type=tmpfs,dst=/b,tmpfs-mode=9"), 'bad tmpfs option "mode=9"'],
    [() => mount("src=/a,dst=/b"), "for a path say type=bind"],
    [() => mount("dst=/b,volume-driver=nfs"), "volume-driver is not there yet"],
    [() => mount('dst="/b'), "stray quote"],
    [() => tmpfs("x"), '"x" must be an absolute path'],
    [() => tmpfs("/x:what"), 'bad tmpfs option "what"'],
    [() => tmpfs("/x:size="), 'bad tmpfs option "size="'],
    [() => tmpfs("/x:lowerdir=/etc"), 'bad tmpfs option "lowerdir=/etc"'],
    [() => parseMounts(["/a:/x"], [], ["/x/"]), 'two mounts at "/x"'],
  ])("%#", (action, expected) => {
    expect(action).toThrow(RtError);
    expect(action).toThrow(expected);
  });
});
