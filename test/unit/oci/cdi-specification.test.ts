import { expect, test } from "bun:test";
import { parseCdiSpecification } from "../../../src/oci/cdi-specification.ts";

const plain = { cdiVersion: "0.6.0", kind: "acme.com/fpga", devices: [{ name: "0", containerEdits: {} }] };
const edited = (edits: object) => ({ ...plain, devices: [{ name: "0", containerEdits: edits }] });

test("a specification of all that there is", () => {
  const all = {
    env: ["A=b", "C="],
    deviceNodes: [
      {
        ...{ path: "/dev/a", hostPath: "/dev/b", type: "c", major: 1, minor: 3 },
        ...{ fileMode: 432, permissions: "", uid: 1, gid: 2 },
      },
    ],
    mounts: [{ hostPath: "/a", containerPath: "/b", options: ["ro"], type: "bind" }],
    hooks: [{ hookName: "createContainer", path: "/bin/x", args: ["x", "y"], env: ["Q=1"], timeout: 5 }],
    additionalGids: [5],
    intelRdt: { closID: "x" },
  };
  const document = { ...plain, annotations: { a: "b" }, containerEdits: all };
  expect(parseCdiSpecification(document)).toMatchObject({
    kind: "acme.com/fpga",
    edits: all,
    devices: [{ name: "0" }],
  });
});

test("what is null is absent, as YAML has what was left empty", () => {
  const document = { ...edited({ env: null, mounts: null }), containerEdits: null, annotations: null };
  expect(parseCdiSpecification(document)).toMatchObject({ edits: {}, devices: [{ name: "0", edits: {} }] });
});

test.each([
  [null, "specification is not a map"],
  [[], "specification is not a map"],
  [{ ...plain, cdiVersion: "2.0.0" }, "cdiVersion is not a version of CDI"],
  [{ ...plain, cdiVersion: undefined }, "cdiVersion is not"],
  [{ ...plain, kind: "acme" }, "kind is not vendor.com/class"],
  [{ ...plain, devices: undefined }, "devices is not a list"],
  [{ ...plain, device: [] }, "specification.device is not a field of CDI"],
  [{ ...plain, devices: [...plain.devices, ...plain.devices] }, 'devices has "0" twice'],
  [{ ...plain, devices: [{ name: "-", containerEdits: {} }] }, "devices[0].name is not"],
  [{ ...plain, devices: [{ name: "0" }] }, "devices[0].containerEdits is not a map"],
  [edited({ environment: [] }), "containerEdits.environment is not a field of CDI"],
  [edited({ env: ["A"] }), "env[0] is not NAME=VALUE"],
  [edited({ env: ["A=\0"] }), "env[0] is not NAME=VALUE"],
  [edited({ deviceNodes: [{ path: "dev/a" }] }), "deviceNodes[0].path is not an absolute path"],
  [edited({ deviceNodes: [{ path: "/dev/a", type: "x" }] }), "deviceNodes[0].type is not one of"],
  [edited({ deviceNodes: [{ path: "/dev/a", permissions: "rx" }] }), "permissions is not some of"],
  [edited({ mounts: [{ hostPath: "/a" }] }), "mounts[0].containerPath is not an absolute path"],
  [edited({ hooks: [{ hookName: "start", path: "/x" }] }), "hooks[0].hookName is not one of"],
  [edited({ hooks: [{ hookName: "poststop", path: "/x", args: ["a\0"] }] }), "hooks[0].args[0] is not text"],
  [edited({ mounts: [{ hostPath: "/a\0b", containerPath: "/b" }] }), "mounts[0].hostPath is not text"],
  [edited({ mounts: [{ hostPath: "/a", containerPath: "/b", options: ["\0"] }] }), "options[0] is not text"],
  [{ ...plain, kind: "acme.com/fpga." }, "kind is not vendor.com/class"],
  [edited({ additionalGids: [-1] }), "additionalGids[0] is not a number from 0 to 4294967295"],
  [edited({ additionalGids: [2 ** 32] }), "additionalGids[0] is not a number from 0"],
  [edited({ deviceNodes: [{ path: "/dev/a", major: -1 }] }), "deviceNodes[0].major is not a number from 0"],
  [edited({ deviceNodes: [{ path: "/dev/a", minor: 2 ** 32 }] }), "deviceNodes[0].minor is not a number"],
  [edited({ deviceNodes: [{ path: "/dev/a", uid: 1e12 }] }), "deviceNodes[0].uid is not a number from 0"],
])("%j: %s", (document, said) => expect(() => parseCdiSpecification(document)).toThrow(said));
