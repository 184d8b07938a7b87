import type { SpecSyscallArgument } from "../oci/runtime-spec.ts";
import type { SeccompCondition, SeccompProfile, SeccompRule } from "../settings/seccomp-profile.ts";

/**
 * The system calls of a container of which nothing else is said. What is not named here answers EPERM, and what is newer than
 * any name that the compiler of filters knows ENOSYS. No call is let through that Docker's profile or podman's does not let
 * through, but for a kernel's own (`uretprobe`) and for what comes with a capability:
 *
 *   - calls of the whole machine go with the capability that they need anyhow, so a fault of the kernel's in front of its own
 *     check is out of reach; the kernel's keyrings, io_uring, userfaultfd, pivot_root and kexec go with none
 *   - no new namespace without CAP_SYS_ADMIN: whoever owns a user namespace is root in it, and reaches code that was written for
 *     root. The flags of clone3 are in memory, where no filter looks: it is not there, and libc takes clone
 *   - sockets of AF_ALG and AF_VSOCK know no namespace. Those of the audit system answer as if the kernel had none, so that what
 *     logs in goes on without
 *   - the third way to call an x86-64 (x32) is there for no program that anybody has: it answers ENOSYS
 *   - what is new, and podman's does not let through, is not there: who uses that falls back to what was before it
 */
const always = [
  // Files by descriptor.
  "read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek _llseek close close_range dup dup2 dup3 fcntl",
  "fcntl64 flock fsync fdatasync sync syncfs sync_file_range fallocate ftruncate ftruncate64 truncate truncate64 readahead",
  "fadvise64 fadvise64_64 sendfile sendfile64 splice tee copy_file_range pipe pipe2 ioctl",
  // Files by name.
  "open openat openat2 creat access faccessat faccessat2 stat stat64 lstat lstat64 fstat fstat64 fstatat64 newfstatat statx",
  "statfs statfs64 fstatfs fstatfs64 chmod fchmod fchmodat fchmodat2 chown chown32 fchown fchown32 fchownat lchown lchown32",
  "link linkat unlink unlinkat symlink symlinkat readlink readlinkat rename renameat renameat2 mkdir mkdirat rmdir mknod mknodat",
  "utime utimes futimesat utimensat utimensat_time64 getdents getdents64 getcwd chdir fchdir umask name_to_handle_at",
  "getxattr lgetxattr fgetxattr setxattr lsetxattr fsetxattr listxattr llistxattr flistxattr removexattr lremovexattr",
  "fremovexattr inotify_init inotify_init1 inotify_add_watch inotify_rm_watch fanotify_mark",
  // Waiting for them.
  "select _newselect pselect6 pselect6_time64 poll ppoll ppoll_time64 epoll_create epoll_create1 epoll_ctl epoll_ctl_old",
  "epoll_wait epoll_wait_old epoll_pwait epoll_pwait2 eventfd eventfd2 signalfd signalfd4 timerfd_create timerfd_gettime",
  "timerfd_gettime64 timerfd_settime timerfd_settime64 io_setup io_destroy io_submit io_cancel io_getevents",
  // Memory.
  "brk mmap mmap2 munmap mremap mprotect madvise mincore msync mlock mlock2 mlockall munlock munlockall remap_file_pages",
  "memfd_create memfd_secret membarrier pkey_alloc pkey_free pkey_mprotect process_mrelease",
  // Processes and threads.
  "fork vfork execve execveat exit exit_group wait4 waitid waitpid getpid getppid gettid getpgid setpgid getpgrp getsid setsid",
  "set_tid_address set_robust_list get_robust_list rseq futex futex_time64 get_thread_area set_thread_area prctl seccomp",
  "landlock_create_ruleset landlock_add_rule landlock_restrict_self pidfd_open pidfd_send_signal getcpu",
  "sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam sched_setparam",
  "sched_getscheduler sched_setscheduler sched_get_priority_max sched_get_priority_min sched_rr_get_interval",
  "sched_rr_get_interval_time64 getpriority setpriority ioprio_get ioprio_set getrlimit ugetrlimit setrlimit prlimit64",
  "getrusage times sysinfo uname getrandom restart_syscall",
  // The kernel's own way back from a probe that the host has set: without it the program that is looked at would end.
  "uretprobe",
  // Who it is.
  "getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 getresgid getresgid32 getgroups",
  "getgroups32 setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32 setresuid setresuid32 setresgid",
  "setresgid32 setfsuid setfsuid32 setfsgid setfsgid32 setgroups setgroups32 capget capset",
  // Signals.
  "kill tkill tgkill pause sigaltstack sigprocmask sigreturn rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo",
  "rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo",
  // Time.
  "time gettimeofday clock_gettime clock_gettime64 clock_getres clock_getres_time64 clock_nanosleep clock_nanosleep_time64",
  "nanosleep alarm getitimer setitimer adjtimex clock_adjtime clock_adjtime64 timer_create timer_delete timer_getoverrun",
  "timer_gettime timer_gettime64 timer_settime timer_settime64",
  // Between processes.
  "socketcall socketpair bind listen accept accept4 connect shutdown getsockname getpeername getsockopt setsockopt send sendto",
  "sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64 ipc msgctl msgget msgrcv msgsnd semctl semget semop",
  "semtimedop semtimedop_time64 shmat shmctl shmdt shmget mq_open mq_unlink mq_notify mq_getsetattr mq_timedreceive",
  "mq_timedreceive_time64 mq_timedsend mq_timedsend_time64",
];

/** The host may let one process look at another since 4.8, where a filter cannot be got round with it any more. */
const tracing = "ptrace process_vm_readv process_vm_writev";

const withCapability: Readonly<Record<string, string>> = {
  DAC_READ_SEARCH: "open_by_handle_at",
  SYS_ADMIN:
    "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr lsm_list_modules " +
    "lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname " +
    "sethostname setns syslog umount umount2 unshare",
  SYS_BOOT: "reboot",
  SYS_CHROOT: "chroot",
  SYS_MODULE: "init_module finit_module delete_module",
  SYS_PACCT: "acct",
  SYS_PTRACE: `${tracing} kcmp pidfd_getfd process_madvise`,
  SYS_RAWIO: "iopl ioperm",
  SYS_TIME: "settimeofday stime clock_settime clock_settime64",
  SYS_TTY_CONFIG: "vhangup",
  SYS_NICE: "get_mempolicy set_mempolicy set_mempolicy_home_node mbind",
  SYSLOG: "syslog",
  BPF: "bpf",
  PERFMON: "perf_event_open",
};

/** By the machine's architecture, for all programs that it runs. */
const withArchitecture: readonly [arches: readonly string[], names: string][] = [
  [["amd64"], "arch_prctl modify_ldt"],
  [["arm", "arm64"], "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls"],
  [["ppc64le"], "sync_file_range2 swapcontext"],
  [["s390x"], "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr"],
  [["riscv64"], "riscv_flush_icache riscv_hwprobe"],
];

/** Not in the kernel, as far as a container sees. */
const absent =
  "cachestat file_getattr file_setattr futex_requeue futex_wait futex_waitv futex_wake getxattrat io_pgetevents " +
  "io_pgetevents_time64 listmount listns listxattrat map_shadow_stack mseal open_tree_attr removexattrat setxattrat statmount";

const enosys = 38;
const einval = 22;
const clone_new_any = 0x7e02_0000;
const audit = { family: 16, protocol: 9 }; // AF_NETLINK, NETLINK_AUDIT
const family = { alg: 38, nfc: 39, vsock: 40 };
/** personality(2): Linux and Linux 32, each as it is or with an old uname; the last asks. */
const personalities = [0, 8, 0x20000, 0x20008, 0xffff_ffff];

function allow(names: string, more: Partial<SeccompRule> = {}): SeccompRule {
  return { names: names.split(" "), action: "SCMP_ACT_ALLOW", ...more };
}

function refuse(names: string, errnoRet: number, more: Partial<SeccompRule> = {}): SeccompRule {
  return { names: names.split(" "), action: "SCMP_ACT_ERRNO", errnoRet, ...more };
}

function argument(index: number, op: string, value: number): SpecSyscallArgument {
  return { index, value, op: `SCMP_CMP_${op}` };
}

function capability(name: string): SeccompCondition {
  return { caps: [`CAP_${name}`] };
}

/** No two rules of a socket answer the same call differently: others look at them in an order of their own. */
function sockets(): SeccompRule[] {
  const includes = capability("AUDIT_WRITE");
  const excludes = includes;
  const below = argument(0, "LT", family.alg);
  return [
    allow("socket", { args: [below], includes }),
    allow("socket", { args: [argument(0, "LT", audit.family)], excludes }),
    allow("socket", { args: [below, argument(2, "NE", audit.protocol)], excludes }),
    refuse("socket", einval, {
      args: [argument(0, "EQ", audit.family), argument(2, "EQ", audit.protocol)],
      excludes,
    }),
    allow("socket", { args: [argument(0, "EQ", family.nfc)] }),
    allow("socket", { args: [argument(0, "GT", family.vsock)] }),
  ];
}

/** On s390 the flags are the second argument. */
function clones(): SeccompRule[] {
  const { caps = [] } = capability("SYS_ADMIN");
  const plain = (index: number) => ({
    args: [{ ...argument(index, "MASKED_EQ", clone_new_any), valueTwo: 0 }],
  });
  return [
    allow("clone", { ...plain(0), excludes: { caps, arches: ["s390x"] } }),
    allow("clone", { ...plain(1), includes: { arches: ["s390x"] }, excludes: { caps } }),
    refuse("clone3", enosys, { excludes: { caps } }),
  ];
}

export const defaultSeccomp: SeccompProfile = {
  defaultAction: "SCMP_ACT_ERRNO",
  defaultErrnoRet: 1,
  archMap: [
    { architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86"] },
    { architecture: "SCMP_ARCH_AARCH64", subArchitectures: ["SCMP_ARCH_ARM"] },
    { architecture: "SCMP_ARCH_S390X", subArchitectures: ["SCMP_ARCH_S390"] },
    { architecture: "SCMP_ARCH_RISCV64", subArchitectures: [] },
  ],
  syscalls: [
    allow(always.join(" ")),
    allow(tracing, { includes: { minKernel: "4.8" } }),
    ...sockets(),
    ...personalities.map((value) => allow("personality", { args: [argument(0, "EQ", value)] })),
    ...clones(),
    ...Object.entries(withCapability).map(([name, names]) => allow(names, { includes: capability(name) })),
    ...withArchitecture.map(([arches, names]) => allow(names, { includes: { arches: [...arches] } })),
    refuse(absent, enosys),
  ],
};
