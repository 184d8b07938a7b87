import { describe, expect, test } from "bun:test";
import { mountFlags as flag } from "../../../src/base/linux.ts";
import {
  addressIn,
  localMountOf,
  localOptionsProblem,
  mountFailure,
} from "../../../src/settings/local-volume.ts";

const mount = (o: string) => localMountOf({ type: "nfs", device: ":/srv", o })!;

describe("options of a local volume", () => {
  test("are Docker's, with those that each needs", () => {
    expect(localOptionsProblem({})).toBeUndefined();
    expect(localOptionsProblem({ type: "none", device: "/a", o: "bind" })).toBeUndefined();
    expect(localOptionsProblem({ type: "tmpfs", device: "tmpfs", size: "0" })).toBeUndefined();
    expect(localOptionsProblem({ type: "tmpfs" })).toBe('missing required option: "device"');
    expect(localOptionsProblem({ device: "/a" })).toBe('missing required option: "type"');
    expect(localOptionsProblem({ o: "bind" })).toBe('missing required option: "device"');
    expect(localOptionsProblem({ size: "1g" })).toBe("quota size requested but no quota support");
    expect(localOptionsProblem({ constructor: "x" })).toBe('invalid option: "constructor"');
    expect(localOptionsProblem({ type: "a\0", device: "" })).toContain("control character");
  });

  test("what is the kernel's own of `o` becomes flags; the rest is the file system's", () => {
    expect(localMountOf({})).toBeUndefined();
    expect(localMountOf({ type: "tmpfs", device: "x" })).toMatchObject({ flags: 0, data: "" });
    expect(mount("ro,noatime,size=1m,,uid=5")).toMatchObject({
      flags: flag.RDONLY | flag.NOATIME,
      propagation: 0,
      data: "size=1m,uid=5",
    });
    expect(mount("ro,rw,nosuid,suid").flags).toBe(0);
    expect(mount("rbind,rslave")).toMatchObject({
      flags: flag.BIND | flag.REC,
      propagation: flag.SLAVE | flag.REC,
    });
    expect(mount("constructor").data).toBe("constructor");
  });

  test("the address of a server", () => {
    expect(addressIn("rw,addr=server.example,vers=4")).toBe("server.example");
    expect(addressIn("clientaddr=1.2.3.4,rw")).toBeUndefined();
  });

  test("a failure in Docker's words, without the password", () => {
    const options = { ...mount("ro,addr=1.2.3.4,password=secret,uid=1"), device: "//srv/share" };
    expect(mountFailure(options, "/v/_data", "no such device")).toBe(
      "failed to mount local volume: mount //srv/share:/v/_data, flags: 0x1, data: addr=1.2.3.4,password=********,uid=1: no such device",
    );
  });
});
