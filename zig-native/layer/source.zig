//! Where the compressed bytes come from: a file that another process is still filling, or a pipe.
const std = @import("std");
const linux = std.os.linux;
const report = @import("report.zig");
const Control = @import("control.zig").Control;

pub const Source = struct {
    fd: i32,
    /// Null: a pipe, whose end is its end. Otherwise the file ends when control says so, and not before.
    growing: ?*Control,
    position: u64 = 0,

    /// Blocks; 0 is the end.
    pub fn read(self: *Source, into: []u8) usize {
        const control = self.growing orelse return self.readPipe(into);
        while (true) {
            // Order matters: what control says is taken before the look, so that nothing can arrive in between.
            const complete = control.complete;
            const got = linux.pread(self.fd, into.ptr, into.len, @intCast(self.position));
            switch (linux.errno(got)) {
                .SUCCESS => {
                    self.position += got;
                    if (got > 0 or complete) return got;
                    control.next();
                },
                .INTR => {},
                else => |e| report.failErrno(e, "cannot read the layer's blob", .{}),
            }
        }
    }

    fn readPipe(self: *Source, into: []u8) usize {
        while (true) {
            const got = linux.read(self.fd, into.ptr, into.len);
            switch (linux.errno(got)) {
                .SUCCESS => return got,
                .INTR => {},
                else => |e| report.failErrno(e, "cannot read the layer's stream", .{}),
            }
        }
    }
};
