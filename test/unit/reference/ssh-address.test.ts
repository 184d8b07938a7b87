import { describe, expect, test } from "bun:test";
import { kindOf } from "../../../src/reference/kind.ts";
import { parseSshAddress, type SshAddress } from "../../../src/reference/ssh-address.ts";

function parsed(text: string): SshAddress {
  const { kind, rest } = kindOf(text);
  expect(kind).toBe("ssh");
  return parseSshAddress(rest);
}

describe("addresses of other hosts", () => {
  const good: [string, Partial<SshAddress>][] = [
    ["ssh://box", { host: "box", program: "rt", image: "" }],
    ["ssh://box/", { host: "box", image: "" }],
    ["ssh://me@box.example.org:2222/team/web:1", { user: "me", port: 2222, image: "team/web:1" }],
    ["ssh://box/ghcr.io/a/b:1.2", { image: "ghcr.io/a/b:1.2" }],
    [`ssh://box/a@sha256:${"0".repeat(64)}`, { host: "box", image: `a@sha256:${"0".repeat(64)}` }],
    ["ssh://[::1]:22/a", { host: "::1", port: 22, image: "a" }],
    ["ssh://[fe80::1%eth0]/a", { host: "fe80::1%eth0" }],
    ["ssh://192.0.2.1/a", { host: "192.0.2.1" }],
    ["ssh://box/a?rt=/opt/rt-2.0/bin/rt", { image: "a", program: "/opt/rt-2.0/bin/rt" }],
    ["ssh://box?rt=/opt/rt", { host: "box", image: "", program: "/opt/rt" }],
    ["ssh://my_box.lan/a", { host: "my_box.lan" }],
  ];
  for (const [text, wanted] of good) test(text, () => expect(parsed(text)).toMatchObject(wanted));

  const bad = [
    ...["ssh://", "ssh:///a", "ssh://@box", "ssh://me:secret@box/a", "ssh://a@b@c/d"],
    // What ssh would take for an option, and what a shell or a ProxyCommand would act upon.
    ...["ssh://-oProxyCommand=x/a", "ssh://-l@box/a", "ssh://-me@box", "ssh://a;reboot/x", "ssh://$(id)/x"],
    ...["ssh://`id`@box/x", "ssh://a b/x", "ssh://a\nb/x", "ssh://a'b/x", "ssh://a|b/x", "ssh://a&b/x"],
    ...["ssh://box:0/a", "ssh://box:65536/a", "ssh://box:-1/a", "ssh://box:/a", "ssh://box:22x/a"],
    ...["ssh://[::1/a", "ssh://::1/a", "ssh://[]/a", "ssh://[-x]/a", "ssh://[::1]x/a", "ssh://bo%78/a"],
    ...["ssh://box/a?", "ssh://box/a?rt=", "ssh://box/a?rt=rt", "ssh://box/a?rt=/x;id", "ssh://box/a?x=/rt"],
    ...["ssh://box/a?rt=/x y", "ssh://box/a?rt=/x&rt=/y", "ssh://box/a?rt=-/x"],
  ];
  for (const text of bad)
    test(JSON.stringify(text), () => {
      const { kind, rest } = kindOf(text);
      expect(kind).toBe("ssh");
      expect(() => parseSshAddress(rest)).toThrow(/^[^\n]*$/);
      expect(() => parseSshAddress(rest)).not.toThrow(/secret/);
    });
});
