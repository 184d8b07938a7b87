//! Which of the caller's variables libc and Bun may see.
//!
//! Both take orders from the environment (BUN_OPTIONS runs any script, LD_PRELOAD any library, NODE_TLS_REJECT_UNAUTHORIZED
//! turns verification off), and new names come with each version: so only what rt itself reads is let through, by name. The
//! whole environment stays in /proc/self/environ, where src/base/environment.ts takes it from for `-e NAME`.
const std = @import("std");

const names = [_][]const u8{
    "PATH",         "HOME",        "USER",        "LOGNAME",   "TERM",
    "COLUMNS",      "LINES",       "TZ",          "NO_COLOR",  "SSL_CERT_FILE",
    "SSL_CERT_DIR", "HTTP_PROXY",  "HTTPS_PROXY", "NO_PROXY",  "ALL_PROXY",
    "http_proxy",   "https_proxy", "no_proxy",    "all_proxy", "REGISTRY_AUTH_FILE",
};

const prefixes = [_][]const u8{ "RT_", "DOCKER_", "XDG_" };

/// Set by ourselves alone.
const reserved = [_][]const u8{ "RT_PACKED", "RT_NO_CWD", "RT_ROOTLESS", "RT_HOLDER" };

/// Each is compared with those before it: more than anybody has, and little enough that nobody waits for it.
pub const count_max = 1000;

/// `entry` is "NAME=VALUE".
pub fn passes(entry: [*:0]const u8) bool {
    for (reserved) |name| {
        if (isNamed(entry, name)) return false;
    }
    for (names) |name| {
        if (isNamed(entry, name)) return true;
    }
    for (prefixes) |prefix| {
        if (startsWith(entry, prefix)) return true;
    }
    return false;
}

/// Does one of `before` set the same variable? The first counts, here as for getenv(3).
pub fn isAmong(entry: [*:0]const u8, before: []const usize) bool {
    const name = std.mem.sliceTo(std.mem.span(entry), '=');
    for (before) |other| {
        if (isNamed(@ptrFromInt(other), name)) return true;
    }
    return false;
}

/// What rt tells the runtime: the JIT's memory. By itself it reserves 1 GiB of addresses, which a limit on them (ulimit -v)
/// or a kernel that does not overcommit refuses, and nothing works then; what our code needs is a hundredth.
pub const runtime: [:0]const u8 = "BUN_JSC_jitMemoryReservationSize=33554432";

fn isNamed(entry: [*:0]const u8, name: []const u8) bool {
    return startsWith(entry, name) and entry[name.len] == '=';
}

fn startsWith(entry: [*:0]const u8, text: []const u8) bool {
    for (text, 0..) |byte, index| {
        if (entry[index] != byte) return false;
    }
    return true;
}

test "what rt reads passes, what steers libc and Bun does not" {
    for ([_][*:0]const u8{ "PATH=/bin", "RT_ROOT=/x", "https_proxy=", "XDG_RUNTIME_DIR=/run", "TERM=xterm" }) |entry| {
        try std.testing.expect(passes(entry));
    }
    for ([_][*:0]const u8{
        "BUN_BE_BUN=1",
        "NODE_OPTIONS=x",
        "LD_PRELOAD=x",
        "RT_PACKED=1,2",
        "PATHS=x",
        "PATH",
        "",
        "TMPDIR=/t",
        "GLIBC_TUNABLES=x",
    }) |entry| {
        try std.testing.expect(!passes(entry));
    }
}
