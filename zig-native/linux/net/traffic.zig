//! How fast packets go (tc(8)): a token bucket where they leave an interface, and the way around by another interface for those
//! that arrive at one, as only what leaves can be made to wait.
//!
//!   shape      the interface sends no faster than the rate       qdisc tbf, the root one
//!   redirect   what arrives at it leaves by another one          qdisc ingress, and a filter that takes all of it
const std = @import("std");
const message = @import("message.zig");

const rtm_newqdisc = 36;
const rtm_delqdisc = 37;
const rtm_newtfilter = 44;
const tca_kind = 1;
const tca_options = 2;

const root = 0xffff_ffff;
const at_ingress = 0xffff_fff1;
const ingress_handle = 0xffff_0000;

/// struct tcmsg
const Traffic = extern struct { family: u8 = 0, pad: [3]u8 = @splat(0), index: i32, handle: u32 = 0, parent: u32, info: u32 = 0 };
/// struct tc_ratespec
const Rate = extern struct { cells_log: u8 = 0, layer: u8 = 0, overhead: u16 = 0, align_cell: i16 = 0, smallest: u16 = 0, rate: u32 = 0 };
/// struct tc_tbf_qopt
const Bucket = extern struct { rate: Rate, peak: Rate = .{}, limit: u32, buffer: u32 = 0, mtu: u32 = 0 };
/// struct tc_u32_sel and one struct tc_u32_key of it, which every packet has.
const Selector = extern struct {
    flags: u8 = 1, // TC_U32_TERMINAL
    shift: u8 = 0,
    keys: u8 = 1,
    mask: u16 align(2) = 0,
    offset: u16 = 0,
    offset_at: i16 = 0,
    hash_at: i16 = 0,
    hash_mask: u32 = 0,
    key: [4]u32 = @splat(0),
};
/// struct tc_mirred
const Mirror = extern struct {
    number: u32 = 0,
    capability: u32 = 0,
    action: i32 = 4, // TC_ACT_STOLEN
    references: i32 = 0,
    bound: i32 = 0,
    way: i32 = 1, // TCA_EGRESS_REDIR
    index: u32,
};

/// Bytes: per second, at once, and that wait; more than wait are dropped.
pub const Bytes = struct { rate: u64, burst: u32, limit: u32 };

/// In the place of what the interface had.
pub fn shape(to: *message.Builder, index: i32, bytes: Bytes) message.Error!void {
    const tca_tbf_parms = 1;
    const tca_tbf_rate64 = 4;
    const tca_tbf_burst = 6;
    const layer_ethernet = 1;
    const narrow: u32 = @intCast(@min(bytes.rate, std.math.maxInt(u32)));
    try to.begin(rtm_newqdisc, message.create | message.replace, Traffic{ .index = index, .parent = root });
    try to.string(tca_kind, "tbf");
    const options = try to.nest(tca_options);
    try to.number(tca_tbf_parms, Bucket{ .rate = .{ .layer = layer_ethernet, .rate = narrow }, .limit = bytes.limit });
    try to.number(tca_tbf_burst, bytes.burst);
    if (bytes.rate > narrow) try to.number(tca_tbf_rate64, bytes.rate);
    try to.unnest(options);
    to.end();
}

/// What `shape` has made goes. Without it this fails (ENOENT, EINVAL).
pub fn unshape(to: *message.Builder, index: i32) message.Error!void {
    try to.begin(rtm_delqdisc, 0, Traffic{ .index = index, .parent = root });
    to.end();
}

/// What arrives at the one leaves by the other. Where it is so already this fails (EEXIST).
pub fn redirect(to: *message.Builder, index: i32, other: i32) message.Error!void {
    const tca_u32_selector = 5;
    const tca_u32_actions = 7;
    const tca_act_kind = 1;
    const tca_act_options = 2;
    const tca_mirred_parms = 2;
    const priority = 1 << 16;
    const all_protocols = std.mem.nativeToBig(u16, 3);
    try to.begin(rtm_newqdisc, message.create | message.exclusive, Traffic{
        .index = index,
        .handle = ingress_handle,
        .parent = at_ingress,
    });
    try to.string(tca_kind, "ingress");
    to.end();
    try to.begin(rtm_newtfilter, message.create | message.exclusive, Traffic{
        .index = index,
        .parent = ingress_handle,
        .info = priority | @as(u32, all_protocols),
    });
    try to.string(tca_kind, "u32");
    const options = try to.nest(tca_options);
    try to.number(tca_u32_selector, Selector{});
    const actions = try to.nest(tca_u32_actions);
    const first = try to.nest(1);
    try to.string(tca_act_kind, "mirred");
    const action = try to.nest(tca_act_options);
    try to.number(tca_mirred_parms, Mirror{ .index = @bitCast(other) });
    try to.unnest(action);
    try to.unnest(first);
    try to.unnest(actions);
    try to.unnest(options);
    to.end();
}

/// It arrives again where it is sent. Where nothing was redirected this fails (ENOENT, EINVAL).
pub fn straighten(to: *message.Builder, index: i32) message.Error!void {
    try to.begin(rtm_delqdisc, 0, Traffic{ .index = index, .handle = ingress_handle, .parent = at_ingress });
    to.end();
}

const expectBytes = @import("link.zig").expectBytes;

test "a bucket, and one whose rate needs more than 32 bits" {
    var memory: [4096]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    var builder: message.Builder = .{ .arena = fixed.allocator() };
    try shape(&builder, 7, .{ .rate = 1_000_000, .burst = 16384, .limit = 65536 });
    try shape(&builder, 7, .{ .rate = 0x1_0000_0002, .burst = 16384, .limit = 65536 });
    try unshape(&builder, 7);
    try expectBytes(&builder,
        \\60000000 2400 0105 01000000 00000000
        \\00 000000 07000000 00000000 ffffffff 00000000
        \\0800 0100 74626600
        \\3400 0280
        \\  2800 0100
        \\    00 01 0000 0000 0000 40420f00
        \\    00 00 0000 0000 0000 00000000
        \\    00000100 00000000 00000000
        \\  0800 0600 00400000
        \\6c000000 2400 0105 02000000 00000000
        \\00 000000 07000000 00000000 ffffffff 00000000
        \\0800 0100 74626600
        \\4000 0280
        \\  2800 0100
        \\    00 01 0000 0000 0000 ffffffff
        \\    00 00 0000 0000 0000 00000000
        \\    00000100 00000000 00000000
        \\  0800 0600 00400000
        \\  0c00 0400 0200000001000000
        \\24000000 2500 0100 03000000 00000000
        \\00 000000 07000000 00000000 ffffffff 00000000
    );
}

test "all that arrives leaves by another interface" {
    var memory: [4096]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&memory);
    var builder: message.Builder = .{ .arena = fixed.allocator() };
    try redirect(&builder, 7, 9);
    try straighten(&builder, 7);
    try expectBytes(&builder,
        \\30000000 2400 0106 01000000 00000000
        \\00 000000 07000000 0000ffff f1ffffff 00000000
        \\0c00 0100 696e677265737300
        \\8c000000 2c00 0106 02000000 00000000
        \\00 000000 07000000 00000000 0000ffff 00030100
        \\0800 0100 75333200
        \\6000 0280
        \\  2400 0500
        \\    01 00 01 00 0000 0000 0000 0000 00000000
        \\    00000000 00000000 00000000 00000000
        \\  3800 0780
        \\    3400 0180
        \\      0b00 0100 6d6972726564 00 00
        \\      2400 0280
        \\        2000 0200
        \\          00000000 00000000 04000000 00000000 00000000 01000000 09000000
        \\24000000 2500 0100 03000000 00000000
        \\00 000000 07000000 0000ffff f1ffffff 00000000
    );
}
