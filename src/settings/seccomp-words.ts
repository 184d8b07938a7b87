/** The words of a profile of system calls, as libseccomp has them and the runtime specification took them. */

export const seccompActions: readonly string[] =
  "ALLOW ERRNO KILL KILL_THREAD KILL_PROCESS TRAP LOG TRACE NOTIFY"
    .split(" ")
    .map((name) => `SCMP_ACT_${name}`);

export const seccompOperators: readonly string[] = "NE LT LE EQ GE GT MASKED_EQ"
  .split(" ")
  .map((name) => `SCMP_CMP_${name}`);

export const seccompFlags: readonly string[] = "TSYNC LOG SPEC_ALLOW WAIT_KILLABLE_RECV"
  .split(" ")
  .map((name) => `SECCOMP_FILTER_FLAG_${name}`);

export const seccompArchitectures: readonly string[] = [
  "NATIVE X86_64 X86 X32 AARCH64 ARM LOONGARCH64 M68K MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 MIPSEL64N32",
  "PARISC PARISC64 PPC PPC64 PPC64LE RISCV64 S390 S390X SH SHEB",
].flatMap((line) => line.split(" ").map((name) => `SCMP_ARCH_${name}`));
