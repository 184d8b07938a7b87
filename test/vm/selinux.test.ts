/**
 * SELinux, on a kernel that has it: Debian's in qemu, with a policy of a few lines in which a container's type may read its own files and
 * the image's, and no secrets. The kernel enforces it.
 */
import { expect } from "bun:test";
import { join } from "node:path";
import { run } from "../support/command.ts";
import { needs } from "../support/root.ts";
import { answers, beside, configured, directory, isClean, web } from "./boot.ts";
import { bootQemu, qemuNeeds } from "./qemu.ts";

const { test } = needs({ ...qemuNeeds, tools: [...qemuNeeds.tools, "secilc", "busybox"] });

/** The kernel's initial ones, in its order (security/selinux/include/initial_sid_to_string.h of 6.1). */
const initial = (
  "kernel security unlabeled fs file file_labels init any_socket port netif netmsg node igmp_packet icmp_socket tcp_socket " +
  "sysctl_modprobe sysctl sysctl_fs sysctl_kernel sysctl_net sysctl_net_unix sysctl_vm sysctl_dev kmod policy scmp_packet devnull"
).split(" ");
const programs = "(system_u system_r kernel_t ((s0) (s0)))";
const files = "(system_u object_r file_t ((s0) (s0)))";
const categories = Array.from({ length: 1024 }, (_, number) => `c${number}`);
const ofFiles = "unlabeled fs file security any_socket port netif netmsg node devnull".split(" ");

/** In CIL. Of what the kernel asks it knows a little, and allows the rest. */
const policy = `
(handleunknown allow) (mls true)
${initial.map((sid) => `(sid ${sid})`).join(" ")} (sidorder (${initial.join(" ")}))
(class file (read)) (class process (transition dyntransition)) (classorder (file process))
(sensitivity s0) (sensitivityorder (s0)) ${categories.map((each) => `(category ${each})`).join(" ")}
(categoryorder (${categories.join(" ")})) (sensitivitycategory s0 (range c0 c1023))
(user system_u) (role system_r) (userrole system_u system_r) (userrole system_u object_r)
(userlevel system_u (s0)) (userrange system_u ((s0) (s0 (range c0 c1023))))
(type kernel_t) (type container_t) (roletype system_r kernel_t) (roletype system_r container_t)
${["container_file_t", "secret_t", "file_t"].map((type) => `(type ${type}) (roletype object_r ${type})`).join(" ")}
(role object_r)
(typeattribute any) (typeattributeset any (all))
(allow kernel_t any (file (read))) (allow any any (process (transition dyntransition)))
(allow container_t container_t (file (read))) (allow container_t file_t (file (read)))
(allow container_t container_file_t (file (read)))
(sidcontext kernel ${programs}) (sidcontext init ${programs})
${ofFiles.map((sid) => `(sidcontext ${sid} ${files})`).join(" ")}
${["tmpfs", "devtmpfs", "devpts", "mqueue"].map((each) => `(fsuse trans ${each} ${files})`).join(" ")}
${["proc", "sysfs", "selinuxfs", "rootfs", "cgroup2"].map((each) => `(genfscon ${each} "/" ${files})`).join(" ")}
`;

async function compiled(): Promise<string> {
  const [source, to] = [join(await directory(), "policy.cil"), join(await directory(), "policy.33")];
  await Bun.write(source, policy);
  await run(["secilc", "-c", "33", "-o", to, "-f", "/dev/null", source]);
  return to;
}

const contexts = `process = "system_u:system_r:container_t:s0"\nfile = "system_u:object_r:container_file_t:s0"\n`;

const box = "--network none -v /secret:/secret oci-archive:/images/box.tar";
const label = 'echo $(tr -d "\\0" </proc/self/attr/current)';
const look = `${label}; cat /secret/file 2>&1`;
const asked = "--security-opt label=type:container_t --security-opt label=level:s0:c1,c2";

const script = `
  say() { echo "= $*"; }
  say plain; rt run --rm -q ${box} sh -c '${look}'
  say asked; rt run --rm -q ${asked} ${box} sh -c '${look}'
  rt run -d --name box -q ${asked} ${box} sleep 1000 >/dev/null
  say exec; rt exec box sh -c '${look}'
  say inspect; rt inspect -f '{{.ProcessLabel}} {{.MountLabel}}' box
  rt rm -f box >/dev/null
  say unknown; rt run --rm -q --security-opt label=type:nosuch_t ${box} true; echo $?
  say configured; rt --config /selinux.toml run --rm -q ${box} sh -c '${label}'
  say configured-open; rt --config /selinux.toml run --rm -q --privileged ${box} sh -c '${label}'
  say end
  busybox kill -TERM 1`;

test("a container has the label that is asked for, and of the policy what that says, in run and in exec", async () => {
  const before = `
    busybox mount -t proc proc /proc; busybox mount -t sysfs sysfs /sys
    busybox mount -t selinuxfs selinuxfs /sys/fs/selinux
    busybox cat /policy >/sys/fs/selinux/load
    busybox mount -t tmpfs -o context=system_u:object_r:secret_t:s0 secrets /secret
    echo secret >/secret/file
    echo 1 >/sys/fs/selinux/enforce`;
  const place = ["etc/selinux", "etc/selinux/targeted", "etc/selinux/targeted/contexts"];
  const more = [
    ...beside(script, before),
    ...[...place, "proc", "sys", "secret"].map((path) => ({ path, directory: true as const })),
    { path: "etc/selinux/targeted/contexts/lxc_contexts", text: contexts },
    { path: "selinux.toml", text: "selinux-enabled = true\n" },
    { path: "policy", file: await compiled() },
  ];
  const ended = await bootQemu({
    initramfs: await configured(web("exit 0"), more),
    append: ["rdinit=/begin", "selinux=1", "security=selinux"],
    timeoutMs: 400_000,
  });
  const denied = "cat: can't open '/secret/file': Permission denied";
  const domain = "system_u:system_r:container_t:s0:c1,c2";
  const kernel = "system_u:system_r:kernel_t:s0";
  expect(Object.fromEntries(answers(ended.console))).toMatchObject({
    plain: [kernel, "secret"],
    asked: [domain, denied],
    exec: [domain, denied],
    inspect: [`${domain} system_u:object_r:container_file_t:s0:c1,c2`],
    unknown: [expect.stringMatching(/^rt: cannot start container .*nosuch_t/), "125"],
    configured: [expect.stringMatching(/^system_u:system_r:container_t:s0:c\d+,c\d+$/)],
    "configured-open": [kernel],
  });
  isClean(ended);
}, 430_000);
