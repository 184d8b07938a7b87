//! Sockets of two network namespaces: the container's, where questions come from, and the one that the monitor was started in. A
//! socket belongs to the namespace that it was born in, so somebody goes there for as long as that takes (linux/net/namespace.zig).
const std = @import("std");
const linux = std.os.linux;
const files = @import("names_files.zig");
const memory = @import("../linux/memory.zig");
const namespace = @import("../linux/net/namespace.zig");
const nftables = @import("../linux/net/nftables.zig");
const Expression = @import("../linux/net/expression.zig").Expression;

pub const port = 53;
/// 127.0.0.11, where programs ask.
const address = [4]u8{ 127, 0, 0, 11 };
const backlog = 16;

pub const stream = linux.SOCK.STREAM;
pub const datagram = linux.SOCK.DGRAM;

pub const Sockets = struct {
    epoll: i32 = -1,
    udp: i32 = -1,
    tcp: i32 = -1,
    /// The namespaces: ours, and the container's.
    home: i32 = -1,
    inside: i32 = -1,

    /// Why it could not be, and at what.
    pub const Refusal = struct { what: []const u8, errno: linux.E };

    /// `pid`: a child of ours that is not reaped, and in its network namespace already.
    pub fn open(self: *Sockets, pid: i32) ?Refusal {
        var path: [64]u8 = undefined;
        const theirs = std.fmt.bufPrintZ(&path, "/proc/{d}/ns/net", .{pid}) catch unreachable; // a number
        self.home = get(linux.open("/proc/self/ns/net", .{ .CLOEXEC = true }, 0)) orelse return refuse("open our network namespace");
        self.inside = get(linux.open(theirs, .{ .CLOEXEC = true }, 0)) orelse return refuse("open the network namespace");
        self.epoll = get(linux.epoll_create1(linux.EPOLL.CLOEXEC)) orelse return refuse("epoll_create1");
        var opening: Opening = .{ .sockets = self };
        failed = namespace.within(self.home, self.inside, &opening, Opening.run);
        if (failed != .SUCCESS) return refuse("enter the network namespace");
        return opening.refusal;
    }

    /// In the container's.
    const Opening = struct {
        sockets: *Sockets,
        refusal: ?Refusal = null,

        fn run(self: *Opening) void {
            const sockets = self.sockets;
            self.refusal = sockets.listen(0) orelse if (sockets.lead()) null else sockets.listen(port);
        }
    };

    pub fn close(self: *Sockets) void {
        for ([_]*i32{ &self.epoll, &self.udp, &self.tcp, &self.home, &self.inside }) |fd| {
            if (fd.* >= 0) _ = linux.close(fd.*);
            fd.* = -1;
        }
    }

    /// Anew, at this port; 0: at any.
    fn listen(self: *Sockets, wanted: u16) ?Refusal {
        for ([_]*i32{ &self.udp, &self.tcp }, [_]u32{ datagram, stream }) |fd, kind| {
            if (fd.* >= 0) _ = linux.close(fd.*);
            fd.* = get(linux.socket(linux.AF.INET, kind | linux.SOCK.CLOEXEC | linux.SOCK.NONBLOCK, 0)) orelse return refuse("socket");
            var at: linux.sockaddr.in = .{ .port = std.mem.nativeToBig(u16, wanted), .addr = @bitCast(address) };
            if (get(linux.bind(fd.*, @ptrCast(&at), @sizeOf(linux.sockaddr.in))) == null) return refuse("bind 127.0.0.11");
        }
        if (get(linux.listen(self.tcp, backlog)) == null) return refuse("listen");
        return null;
    }

    fn portOf(fd: i32) ?u16 {
        var at: linux.sockaddr.in = undefined;
        var size: linux.socklen_t = @sizeOf(linux.sockaddr.in);
        if (linux.errno(linux.getsockname(fd, @ptrCast(&at), &size)) != .SUCCESS) return null;
        return std.mem.bigToNative(u16, at.port);
    }

    /// What is sent to port 53 there comes to our sockets. False where the kernel cannot do that.
    fn lead(self: *const Sockets) bool {
        const region = memory.Region(128 * 1024).map() catch return false;
        defer region.unmap();
        const udp = rule(linux.IPPROTO.UDP, portOf(self.udp) orelse return false);
        const tcp = rule(linux.IPPROTO.TCP, portOf(self.tcp) orelse return false);
        const rules = [_][]const Expression{ &udp.expressions(), &tcp.expressions() };
        const table: nftables.Table = .{
            .family = linux.AF.INET,
            .name = "rt-names",
            .comment = "names are answered at 127.0.0.11",
            .sets = &.{},
            .chains = &.{.{ .name = "output", .type = "nat", .hook = 3, .priority = -100, .rules = &rules }},
        };
        const refusal = nftables.replace(region.allocator(), &table) catch return false;
        return refusal.errno == .SUCCESS;
    }

    /// A socket that is connected to a server, or is about to be; it tells of that with `tag`.
    pub fn connect(self: *const Sockets, kind: u32, server: files.Server, events: u32, tag: u64) linksection(memory.serving) ?i32 {
        const family: u32 = if (server.bytes == 4) linux.AF.INET else linux.AF.INET6;
        var birth: Birth = .{ .family = family, .kind = kind };
        if (!server.inside) birth.give() else if (namespace.within(self.home, self.inside, &birth, Birth.give) != .SUCCESS) return null;
        const fd = get(birth.result) orelse return null;
        const connected = if (server.bytes == 4) four: {
            var at: linux.sockaddr.in = .{ .port = std.mem.nativeToBig(u16, port), .addr = @bitCast(server.address[0..4].*) };
            break :four linux.connect(fd, @ptrCast(&at), @sizeOf(linux.sockaddr.in));
        } else six: {
            var at: linux.sockaddr.in6 = .{
                .port = std.mem.nativeToBig(u16, port),
                .flowinfo = 0,
                .addr = server.address,
                .scope_id = server.scope,
            };
            break :six linux.connect(fd, @ptrCast(&at), @sizeOf(linux.sockaddr.in6));
        };
        const reached = switch (linux.errno(connected)) {
            .SUCCESS => true,
            .INPROGRESS => kind == stream,
            else => false,
        };
        if (reached and self.watch(fd, events, tag)) return fd;
        _ = linux.close(fd);
        return null;
    }

    const Birth = struct {
        family: u32,
        kind: u32,
        result: usize = undefined,

        fn give(self: *Birth) linksection(memory.serving) void {
            self.result = linux.socket(self.family, self.kind | linux.SOCK.CLOEXEC | linux.SOCK.NONBLOCK, 0);
        }
    };

    pub fn watch(self: *const Sockets, fd: i32, events: u32, tag: u64) linksection(memory.serving) bool {
        var event: linux.epoll_event = .{ .events = events, .data = .{ .u64 = tag } };
        return linux.errno(linux.epoll_ctl(self.epoll, linux.EPOLL.CTL_ADD, fd, &event)) == .SUCCESS;
    }
};

/// For what is sent to 127.0.0.11 port 53 with one protocol.
const Rule = struct {
    protocol: [1]u8,
    port: [2]u8,

    fn expressions(self: *const Rule) [8]Expression {
        const first = 1;
        const second = 2;
        const network_header = 1;
        const transport_header = 2;
        const meta_l4proto = 16;
        const destination = 1;
        return .{
            .{ .payload = .{ .base = network_header, .offset = 16, .bytes = 4, .register = first } },
            .{ .compare = .{ .register = first, .operation = 0, .value = &address } },
            .{ .meta = .{ .key = meta_l4proto, .register = first } },
            .{ .compare = .{ .register = first, .operation = 0, .value = &self.protocol } },
            .{ .payload = .{ .base = transport_header, .offset = 2, .bytes = 2, .register = first } },
            .{ .compare = .{ .register = first, .operation = 0, .value = &.{ 0, port } } },
            .{ .immediate = .{ .register = second, .value = &self.port } },
            .{ .nat = .{ .kind = destination, .family = linux.AF.INET, .port = second } },
        };
    }
};

fn rule(protocol: u8, to: u16) Rule {
    return .{ .protocol = .{protocol}, .port = std.mem.toBytes(std.mem.nativeToBig(u16, to)) };
}

var failed: linux.E = .SUCCESS;

fn get(result: usize) ?i32 {
    failed = linux.errno(result);
    return if (failed == .SUCCESS) @intCast(result) else null;
}

fn refuse(what: []const u8) Sockets.Refusal {
    return .{ .what = what, .errno = failed };
}
