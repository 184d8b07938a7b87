//! The stub's unit tests: start.zig itself has an entry of its own, and cannot be their root.
test {
    _ = @import("start/block.zig");
    _ = @import("start/first.zig");
    _ = @import("start/user.zig");
}
