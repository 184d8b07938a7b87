//! `seed`: an empty volume gets what an image has at the place where the volume will be mounted, and that directory's own
//! owner and mode ("copy up", as docker does). The layers are only read: overlay shows them without an upper directory.
//!
//!   <parent>/<name>           the volume's root. Containers may have it mounted, and rename and link in it, all the while
//!   <parent>/<name>.seed      the copy in the making, which nobody else can reach. What a crash left of one is removed
//!   <parent>/<name>.seeded    the complete copy. With the rename to this name the volume is seeded; what is in it is moved
//!                             to the root, name by name, and what a crash left of it is moved on with
//!
//! A name is moved whole, by rename(2), to a root that we hold open: no link in it is ever looked at. Who is at work here
//! holds `parent` locked, so of two containers that start at once one seeds, and the other waits until that is done.
const std = @import("std");
const linux = std.os.linux;
const Listing = @import("remove.zig").Listing;
const Request = @import("request.zig").Request;
const confine = @import("confine.zig");
const copy = @import("copy.zig");
const files = @import("files.zig");
const layers = @import("layers.zig");
const names = @import("names.zig");
const overlay = @import("overlay.zig");
const place = @import("place.zig");
const remove = @import("remove.zig");
const report = @import("report.zig");
const sys = @import("sys.zig");

/// Without layers only what a crash left is put right.
pub fn run(request: Request) noreturn {
    const parents = layers.of(request, "layers");
    // Before anything is opened: see there.
    if (parents.count > 1) overlay.privateNamespace();
    const parent = place.openPath(request.need("parent"));
    const source = if (parents.count == 0) null else find(layers.open(request, &parents), request.need("path"));
    const volume: Volume = .{
        .parent = parent,
        .name = nameOf(request, ""),
        .making = nameOf(request, ".seed"),
        .complete = nameOf(request, ".seeded"),
    };
    confine.enter(parent, &confine.copying);
    place.lock(parent, place.lock_exclusive);
    answer(volume.seed(source, request));
}

fn nameOf(request: Request, comptime suffix: []const u8) names.NameZ {
    var buffer: [names.name_bytes_max + suffix.len]u8 = undefined;
    const text = std.fmt.bufPrint(&buffer, "{s}" ++ suffix, .{request.need("name")}) catch report.fail(.request, "name= is too long", .{});
    if (text.len > names.name_bytes_max) report.fail(.request, "name= is too long", .{});
    return .init(text);
}

const Volume = struct {
    parent: i32,
    name: names.NameZ,
    making: names.NameZ,
    complete: names.NameZ,

    /// True: it was empty, and is seeded now.
    fn seed(self: *const Volume, image: ?i32, request: Request) bool {
        const root = self.open(&self.name);
        const left = sys.openDirectory(self.parent, self.complete.ptr());
        if (linux.errno(left) == .SUCCESS) {
            self.moveIn(@intCast(left), root);
            return true;
        }
        remove.tree(self.parent, self.making.ptr());
        const source = image orelse return false;
        var listing: Listing = undefined;
        listing.open(root);
        // Somebody's files are in it: they stay as they are.
        if (listing.next() != null) return false;
        if (self.isMounted(root)) {
            copy.treeInto(source, root, .left_out, .of(request));
            return true;
        }
        files.check(linux.mkdirat(self.parent, self.making.ptr(), 0o700), "create", "a volume's seed");
        const made = self.open(&self.making);
        copy.treeInto(source, made, .left_out, .of(request));
        const done = linux.renameat2(self.parent, self.making.ptr(), self.parent, self.complete.ptr(), .{ .NOREPLACE = true });
        files.check(done, "complete", "a volume's seed");
        self.moveIn(made, root);
        return true;
    }

    /// A file system of its own takes nothing that was made beside it. The copy is made in it, open to all who have it: what
    /// they put in the way of it is theirs, and a copy that was cut short is left as it is.
    fn isMounted(self: *const Volume, root: i32) bool {
        return sys.statFd(root).mnt_id != sys.statFd(self.parent).mnt_id;
    }

    fn open(self: *const Volume, name: *const names.NameZ) i32 {
        const fd = sys.openDirectory(self.parent, name.ptr());
        files.check(fd, "open", std.mem.span(name.ptr()));
        return @intCast(fd);
    }

    fn moveIn(self: *const Volume, complete: i32, root: i32) void {
        const s = sys.statFd(complete); // before its time changes
        var found = true;
        while (found) {
            found = false;
            var listing: Listing = undefined;
            listing.open(complete);
            while (listing.next()) |name| {
                found = true;
                const name_z = names.NameZ.init(name);
                const moved = linux.renameat2(complete, name_z.ptr(), root, name_z.ptr(), .{ .NOREPLACE = true });
                switch (linux.errno(moved)) {
                    .SUCCESS => {},
                    // A container that has the volume already was faster: its file stays.
                    .EXIST, .NOTEMPTY => remove.tree(complete, name_z.ptr()),
                    else => files.check(moved, "move into the volume", name),
                }
            }
        }
        copy.finish(complete, root, s, "the volume's root");
        remove.tree(self.parent, self.complete.ptr());
    }
};

/// The image's links are followed as in the container: they end inside the root. Null: no directory is there.
fn find(root: i32, path: [:0]const u8) ?i32 {
    const fd = sys.openInRoot(root, path.ptr);
    return switch (linux.errno(fd)) {
        .SUCCESS => @intCast(fd),
        .NOENT, .NOTDIR, .LOOP => null,
        else => |e| report.failErrno(e, "cannot open {f} of the image", .{report.shown(path)}),
    };
}

fn answer(seeded: bool) noreturn {
    report.succeed(",\"seeded\":{}", .{seeded});
}
