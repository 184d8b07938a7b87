//! What rules of nftables are made of (linux/netfilter/nf_tables.h). Numbers are the kernel's; bytes are what packets are compared
//! with, and so as packets and the kernel have them. Registers hold 16 bytes each from 1 on, or 4 each from 8 on: what is
//! concatenated lies in registers that follow each other. 0 is the verdict.
const std = @import("std");
const message = @import("message.zig");

pub const Expression = union(enum) {
    /// Into the register; or, with `set`, out of it.
    meta: struct { key: u32, register: u32, set: bool = false },
    payload: struct { base: u32, offset: u32, bytes: u32, register: u32 },
    /// `mask` is as long as what it covers.
    mask: struct { register: u32, mask: []const u8 },
    /// `operation` 0: is `value`; 1: is not; 2: is less; 3: at most; 4: is more; 5: at least, as big-endian numbers.
    compare: struct { register: u32, operation: u32, value: []const u8 },
    /// `operation` 0: from `from` to `to`; 1: not.
    range: struct { register: u32, operation: u32, from: []const u8, to: []const u8 },
    /// `into`: the register that gets what a map has there. `isAbsent`: holds for what is not in it.
    lookup: struct { register: u32, set: []const u8, into: ?u32 = null, isAbsent: bool = false },
    /// `direction` 0: the original one; 1: the reply.
    track: struct { key: u32, register: u32, direction: ?u8 = null },
    /// `chain`: of a jump (-3) or a goto (-4).
    verdict: struct { code: i32, chain: []const u8 = "" },
    immediate: struct { register: u32, value: []const u8 },
    masquerade: struct {},
    /// `kind` 0: the source; 1: the destination. `address`, `port`: registers; without a port it stays.
    nat: struct { kind: u32, family: u32, address: ?u32 = null, port: ?u32 = null, flags: u32 = 0 },
    fib: struct { register: u32, result: u32, flags: u32 },
    /// Of the packet's route: `key` 3 is the largest segment of TCP that goes both ways.
    rt: struct { register: u32, key: u32 },
    /// From the machine's order to the network's, of `bytes`.
    byteorder: struct { register: u32, bytes: u32 },
    /// An option of TCP by its `type`, of which a part is written from the register. A largest segment never becomes larger so.
    exthdr: struct { register: u32, type: u8, offset: u32, bytes: u32 },
    /// `kind` 0: by ICMP of the packet's family; 1: a reset of TCP; 2: by ICMP, with the codes that both families have.
    reject: struct { kind: u32, code: u8 = 0 },
    /// `operation` 0: add to the set, unless it is there; 1: add, or begin its time anew; 2: delete.
    dynset: struct { set: []const u8, operation: u32, register: u32, data: ?u32 = null, timeout_ms: u64 = 0 },
    counter: struct {},
    untrack: struct {},

    fn name(self: *const Expression) []const u8 {
        return switch (self.*) {
            .mask => "bitwise",
            .compare => "cmp",
            .track => "ct",
            .verdict => "immediate",
            .masquerade => "masq",
            .untrack => "notrack",
            inline else => |_, tag| @tagName(tag),
        };
    }
};

/// NFTA_DATA_VALUE, NFTA_DATA_VERDICT
const data_value = 1;
const data_verdict = 2;

/// An item of a list of expressions.
pub fn write(batch: *message.Builder, expression: *const Expression) message.Error!void {
    const list_elem = 1;
    const item = try batch.nest(list_elem);
    try batch.string(1, expression.name());
    const body = try batch.nest(2);
    try writeBody(batch, expression);
    try batch.unnest(body);
    try batch.unnest(item);
}

fn writeBody(batch: *message.Builder, expression: *const Expression) message.Error!void {
    switch (expression.*) {
        .meta => |meta| {
            try batch.big(if (meta.set) 3 else 1, meta.register);
            try batch.big(2, meta.key);
        },
        .payload => |payload| {
            try batch.big(1, payload.register);
            try batch.big(2, payload.base);
            try batch.big(3, payload.offset);
            try batch.big(4, payload.bytes);
        },
        .mask => |mask| {
            try batch.big(1, mask.register);
            try batch.big(2, mask.register);
            try batch.big(3, @intCast(mask.mask.len));
            try writeData(batch, 4, mask.mask);
            const zeros = try batch.arena.alloc(u8, mask.mask.len);
            @memset(zeros, 0);
            try writeData(batch, 5, zeros);
        },
        .compare => |compare| {
            try batch.big(1, compare.register);
            try batch.big(2, compare.operation);
            try writeData(batch, 3, compare.value);
        },
        .range => |range| {
            try batch.big(1, range.register);
            try batch.big(2, range.operation);
            try writeData(batch, 3, range.from);
            try writeData(batch, 4, range.to);
        },
        .lookup => |lookup| {
            try batch.string(1, lookup.set);
            try batch.big(2, lookup.register);
            if (lookup.into) |into| try batch.big(3, into);
            if (lookup.isAbsent) try batch.big(5, 1);
        },
        .track => |track| {
            try batch.big(1, track.register);
            try batch.big(2, track.key);
            if (track.direction) |direction| try batch.attribute(3, &.{direction});
        },
        .verdict => |verdict| {
            try batch.big(1, 0);
            const outer = try batch.nest(2);
            const inner = try batch.nest(data_verdict);
            try batch.big(1, @bitCast(verdict.code));
            if (verdict.chain.len > 0) try batch.string(2, verdict.chain);
            try batch.unnest(inner);
            try batch.unnest(outer);
        },
        .immediate => |immediate| {
            try batch.big(1, immediate.register);
            try writeData(batch, 2, immediate.value);
        },
        .nat => |nat| try writeNat(batch, nat),
        .fib => |fib| {
            try batch.big(1, fib.register);
            try batch.big(2, fib.result);
            try batch.big(3, fib.flags);
        },
        .rt => |rt| {
            try batch.big(1, rt.register);
            try batch.big(2, rt.key);
        },
        .byteorder => |order| {
            const hton = 1;
            try batch.big(1, order.register);
            try batch.big(2, order.register);
            try batch.big(3, hton);
            try batch.big(4, order.bytes);
            try batch.big(5, order.bytes);
        },
        .exthdr => |option| {
            const tcpopt = 1;
            try batch.attribute(2, &.{option.type});
            try batch.big(3, option.offset);
            try batch.big(4, option.bytes);
            try batch.big(6, tcpopt);
            try batch.big(7, option.register);
        },
        .reject => |reject| {
            try batch.big(1, reject.kind);
            // A reset has no code.
            if (reject.kind != 1) try batch.attribute(2, &.{reject.code});
        },
        .dynset => |dynset| {
            try batch.string(1, dynset.set);
            try batch.big(3, dynset.operation);
            try batch.big(4, dynset.register);
            if (dynset.data) |data| try batch.big(5, data);
            if (dynset.timeout_ms > 0) try batch.bigger(6, dynset.timeout_ms);
        },
        .masquerade, .counter, .untrack => {},
    }
}

fn writeNat(batch: *message.Builder, nat: @FieldType(Expression, "nat")) message.Error!void {
    try batch.big(1, nat.kind);
    try batch.big(2, nat.family);
    if (nat.address) |register| try batch.big(3, register);
    if (nat.port) |register| try batch.big(5, register);
    if (nat.flags != 0) try batch.big(7, nat.flags);
}

pub fn writeData(batch: *message.Builder, kind: u16, bytes: []const u8) message.Error!void {
    const outer = try batch.nest(kind);
    try batch.attribute(data_value, bytes);
    try batch.unnest(outer);
}

test "what a largest segment is made to fit with, as nft(8) writes it" {
    var memory: [1024]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    var builder: message.Builder = .{ .arena = fixed.allocator() };
    try write(&builder, &.{ .rt = .{ .register = 1, .key = 3 } });
    try write(&builder, &.{ .byteorder = .{ .register = 1, .bytes = 2 } });
    try write(&builder, &.{ .exthdr = .{ .register = 1, .type = 2, .offset = 2, .bytes = 2 } });
    try @import("link.zig").expectBytes(&builder,
        \\2000 0180 0700 0100 72740000 1400 0280
        \\  0800 0100 00000001 0800 0200 00000003
        \\4000 0180 0e00 0100 627974656f726465720000 00 2c00 0280
        \\  0800 0100 00000001 0800 0200 00000001 0800 0300 00000001 0800 0400 00000002 0800 0500 00000002
        \\3c00 0180 0b00 0100 657874686472 00 00 2c00 0280
        \\  0500 0200 02000000 0800 0300 00000002 0800 0400 00000002 0800 0600 00000001 0800 0700 00000001
    );
}
