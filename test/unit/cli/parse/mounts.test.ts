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

const long = { createSource: false, byMount: true } as const;

function temporary(destination: string, options: string[], readonly = false): MountRequest {
  return { type: "tmpfs", source: "", destination, readonly, options, createSource: false, labels: {} };
}

function ofImage(more: Partial<MountRequest>): MountRequest {
  return { ...named("busybox", "/b", long), type: "image", ...more };
}

describe("-v", () => {
  test.each<[string, MountRequest]>([
    ["/a:/b", bind("/a", "/b")],
    ["/a/../c/:/b/./d//", bind("/c", "/b/d")],
    ["./x:/b", bind(resolve("x"), "/b")],
    ["..:/b", bind(resolve(".."), "/b")],
    ["/a:/b:ro", bind("/a", "/b", { readonly: true, mode: "ro" })],
    ["/a:/b:rw,z", bind("/a", "/b", { mode: "rw,z" })],
    [
      "/a:/b:U,noexec",
      bind("/a", "/b", { mode: "U,noexec", chown: true, options: ["rbind", "rprivate", "noexec"] }),
    ],
    ["/a:/b:O", bind("/a", "/b", { mode: "O", overlay: true })],
    ["data:/b:O,U", named("data", "/b", { mode: "O,U", overlay: true, chown: true })],
    ["/a:/b:idmap=uids=0-1-2", bind("/a", "/b", { mode: "idmap=uids=0-1-2", idmap: "uids=0-1-2" })],
    [
      "/a:/b:Z,cached,ro,rslave",
      bind("/a", "/b", { mode: "Z,cached,ro,rslave", readonly: true, options: ["rbind", "rslave"] }),
    ],
    ["/anonymous", named("", "/anonymous")],
    ["data:/b", named("data", "/b")],
    ["data:/b:nocopy,ro", named("data", "/b", { mode: "nocopy,ro", readonly: true, options: ["nocopy"] })],
    ["/a:/ro", bind("/a", "/ro")],
  ])("%s", (text, expected) => expect(volume(text)).toEqual(expected));
});

describe("--mount", () => {
  test.each<[string, MountRequest]>([
    ["type=bind,src=/a,dst=/b", bind("/a", "/b", long)],
    ["type=bind,source=/a,target=/b,readonly", bind("/a", "/b", { ...long, readonly: true })],
    ["type=bind,source=/a,destination=/b,ro=false", bind("/a", "/b", long)],
    ["TYPE=bind,SRC=/a,dst=/b,ro=1", bind("/a", "/b", { ...long, readonly: true })],
    [
      "type=bind,src=/a,dst=/b,bind-propagation=rslave,bind-recursive=disabled",
      bind("/a", "/b", { ...long, options: ["bind", "rslave"] }),
    ],
    ['type=bind,"src=/a,b",dst=/b', bind("/a,b", "/b", long)],
    ["dst=/b", named("", "/b", long)],
    [
      "type=volume,src=data,dst=/b,volume-nocopy,volume-label=a=b,volume-label=c",
      named("data", "/b", { ...long, options: ["nocopy"], labels: { a: "b", c: "" } }),
    ],
    [
      "type=tmpfs,dst=/b,tmpfs-size=64m,tmpfs-mode=1770",
      { ...temporary("/b", ["noexec", "nosuid", "nodev", "size=67108864", "mode=1770"]), byMount: true },
    ],
    [
      "type=bind,src=/a,dst=/b,ro,bind-recursive=writable,bind-create-src",
      bind("/a", "/b", { byMount: true, readonly: true, below: "writable" }),
    ],
    ["type=bind,src=/a,dst=/b,U=true,relabel=private", bind("/a", "/b", { ...long, chown: true })],
    [
      'type=bind,src=/a,dst=/b,"idmap=uids=0-1-2;gids=3-4-5"',
      bind("/a", "/b", { ...long, idmap: "uids=0-1-2;gids=3-4-5" }),
    ],
    ["dst=/b,src=data,volume-subpath=x/../y/", named("data", "/b", { ...long, subpath: "y" })],
    [
      'dst=/b,volume-opt=type=tmpfs,volume-opt=device=tmpfs,"volume-opt=o=size=1m,uid=5",volume-driver=local',
      named("", "/b", {
        ...long,
        volumeOptions: { type: "tmpfs", device: "tmpfs", o: "size=1m,uid=5" },
      }),
    ],
    ["type=image,source=busybox,target=/b", ofImage({ readonly: true })],
    ["type=image,source=busybox,target=/b,rw=true,subpath=bin", ofImage({ overlay: true, subpath: "bin" })],
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
    [() => mount("type=nfs,dst=/a"), 'type "nfs" is not bind, volume, tmpfs or image'],
    [() => mount("dst=/a,what=1"), 'unexpected key "what"'],
    [() => mount("dst"), 'field "dst" must be key=value'],
    [() => mount("dst=/a,ro=maybe"), 'readonly wants true or false, not "maybe"'],
    [() => mount("type=bind,src=/a,dst=/b,tmpfs-size=1"), "cannot use tmpfs-size with type bind"],
    [() => mount("type=bind,src=/a,dst=/b,volume-label=a"), "cannot use volume-label with type bind"],
    [() => mount("type=bind,src=/a,dst=/b,bind-propagation=x"), 'no bind-propagation "x"'],
    [() => mount("type=tmpfs,src=/a,dst=/b"), "type tmpfs has no source"],
    [() => mount("type=tmpfs,dst=/b,tmpfs-mode=9"), 'bad tmpfs option "mode=9"'],
    [() => mount("src=/a,dst=/b"), "for a path say type=bind"],
    [() => mount("dst=/b,volume-driver=nfs"), 'plugin "nfs" not found'],
    [() => mount("dst=/b,volume-opt=type=x"), 'missing required option: "device"'],
    [() => mount("dst=/b,volume-subpath=../x"), "must be a relative path"],
    [() => mount("dst=/b,volume-subpath=/x"), "must be a relative path"],
    [() => mount("type=bind,src=/a,dst=/b,bind-recursive=writable"), "requires readonly"],
    [
      () => mount("type=bind,src=/a,dst=/b,ro,bind-recursive=readonly,bind-propagation=rslave"),
      "requires bind-p",
    ],
    [() => mount("type=image,dst=/b"), "source is required for type image"],
    [() => mount("type=image,src=a,dst=/b,ro,rw"), "the same thing twice"],
    [() => mount("type=tmpfs,dst=/b,subpath=a"), "cannot use subpath with type tmpfs"],
    [() => mount("type=bind,src=/etc,dst=/b,U"), 'chown of "/etc" is not allowed'],
    [() => mount("type=bind,src=/a,dst=/b,relabel=x"), "wants shared or private"],
    [() => volume("/:/host:U"), 'chown of "/" is not allowed'],
    [() => volume("/a:/b:O,ro"), "O is there to be written to"],
    [() => volume("/a:/b:idmap=x"), 'bad idmap "x"'],
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
