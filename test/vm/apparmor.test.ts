/**
 * AppArmor, on a kernel that has it: Debian's in qemu, with docs/apparmor/rt-default compiled and loaded. What a profile forbids is asked
 * for by containers that have every other right.
 */
import { expect } from "bun:test";
import { join } from "node:path";
import { run } from "../support/command.ts";
import { needs } from "../support/root.ts";
import { answers, beside, configured, directory, isClean, web } from "./boot.ts";
import { bootQemu, qemuNeeds } from "./qemu.ts";

const { test } = needs({ ...qemuNeeds, tools: [...qemuNeeds.tools, "apparmor_parser", "busybox"] });

const text = join(import.meta.dir, "../../docs/apparmor/rt-default");
/** Denies nothing but the reading of one file. */
const other = "profile rt-test flags=(attach_disconnected) { file, capability, network, deny /etc/group r, }";

/** As the kernel takes it: what a parser in the guest would make of it. */
async function compiled(): Promise<Uint8Array> {
  const to = join(await directory(), "profiles");
  const features = "/etc/apparmor.d/abi/3.0";
  const source = join(await directory(), "profiles.text");
  await Bun.write(source, `${await Bun.file(text).text()}\n${other}\n`);
  await run(["apparmor_parser", "-q", "-Q", "-K", "-M", features, `--ofile=${to}`, source]);
  return Bun.file(to).bytes();
}

const box = "--network none oci-archive:/images/box.tar";
const label = "cat /proc/self/attr/current";
/** With every right that a container can be given one by one: what holds is the profile. */
const open = "--cap-add ALL --security-opt seccomp=unconfined --security-opt systempaths=unconfined";
const attacks = [
  "mkdir /m && mount -t tmpfs x /m && echo mounted",
  "echo x >/proc/sys/kernel/core_pattern && echo written",
  "echo 5 >/proc/sys/kernel/msgmax && echo shared-memory",
  "head -c 1 /proc/kcore >/dev/null && echo read",
  "echo done",
].join("; ");

const script = `
  say() { echo "= $*"; }
  say profiles; busybox cat /sys/kernel/security/apparmor/profiles
  say default; rt run --rm -q ${box} ${label}
  say attacks; rt run --rm -q ${open} ${box} sh -c '${attacks}' 2>/dev/null
  say unconfined; rt run --rm -q ${open} --security-opt apparmor=unconfined ${box} sh -c '${label}; ${attacks}' 2>/dev/null
  say privileged; rt run --rm -q --privileged ${box} ${label}
  say named; rt run --rm -q --security-opt apparmor=rt-test ${box} sh -c '${label}; cat /etc/group; echo read'
  say no-new-privileges; rt run --rm -q --security-opt no-new-privileges -u app ${box} ${label}
  say missing; rt run --rm -q --security-opt apparmor=nosuch ${box} true; echo $?
  say init; rt run --rm -q --init ${box} sh -c '${label}; cat /proc/1/attr/current; kill -0 1 && echo signalled'
  rt run -d --name box -q ${box} sh -c 'trap "exit 7" TERM; while :; do sleep 0.1; done' >/dev/null
  say exec; rt exec box ${label}
  say exec-privileged; rt exec --privileged box ${label}
  say inspect; rt inspect -f '{{.AppArmorProfile}}' box
  say stop; rt stop -t 60 box; rt inspect -f '{{.State.ExitCode}}' box
  say info; rt info -f '{{.SecurityOptions}}'
  say end
  busybox kill -TERM 1`;

test("the profile of a container is what holds where everything else is open, in run and in exec", async () => {
  const before = `
    busybox mount -t proc proc /proc; busybox mount -t sysfs sysfs /sys
    busybox mount -t securityfs securityfs /sys/kernel/security
    busybox cat /profiles >/sys/kernel/security/apparmor/.load`;
  const profiles = join(await directory(), "loaded");
  await Bun.write(profiles, await compiled());
  const more = [
    ...beside(script, before),
    { path: "proc", directory: true as const },
    { path: "sys", directory: true as const },
    { path: "profiles", file: profiles },
  ];
  const ended = await bootQemu({
    initramfs: await configured(web("exit 0"), more),
    append: ["rdinit=/begin", "apparmor=1", "security=apparmor"],
    timeoutMs: 400_000,
  });
  const said = Object.fromEntries(answers(ended.console));
  expect(said).toMatchObject({
    profiles: expect.arrayContaining(["rt-default (enforce)", "rt-test (enforce)"]),
    default: ["rt-default (enforce)"],
    attacks: ["shared-memory", "done"],
    unconfined: ["unconfined", "mounted", "written", "shared-memory", "read", "done"],
    privileged: ["unconfined"],
    named: ["rt-test (enforce)", "cat: can't open '/etc/group': Permission denied", "read"],
    "no-new-privileges": ["rt-default (enforce)"],
    missing: [
      expect.stringMatching(/^rt: --security-opt apparmor=nosuch: .* apparmor_parser -r FILE/),
      "125",
    ],
    // The one that waits for the program too, so that this one may signal it.
    init: ["rt-default (enforce)", "rt-default (enforce)", "signalled"],
    exec: ["rt-default (enforce)"],
    "exec-privileged": ["unconfined"],
    inspect: ["rt-default"],
    stop: ["box", "7"],
    info: [expect.stringContaining("name=apparmor")],
  });
  isClean(ended);
}, 430_000);
