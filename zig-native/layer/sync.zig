//! A mutex and a condition on futex(2): the standard library's now need an `Io` implementation, which this program
//! does without.
const std = @import("std");
const linux = std.os.linux;

pub const Mutex = struct {
    /// 0 free, 1 held, 2 held and somebody waits.
    state: std.atomic.Value(u32) = .init(0),

    pub fn lock(self: *Mutex) void {
        if (self.state.cmpxchgStrong(0, 1, .acquire, .monotonic) == null) return;
        while (self.state.swap(2, .acquire) != 0) wait(&self.state, 2);
    }

    pub fn unlock(self: *Mutex) void {
        if (self.state.swap(0, .release) == 2) wake(&self.state, 1);
    }
};

/// Wake-ups may be spurious: wait in a loop on what is really wanted.
pub const Condition = struct {
    sequence: std.atomic.Value(u32) = .init(0),
    waiters: u32 = 0,

    /// The mutex is held by the caller, before and after.
    pub fn wait(self: *Condition, mutex: *Mutex) void {
        const before = self.sequence.load(.monotonic);
        self.waiters += 1;
        mutex.unlock();
        futexWait(&self.sequence, before);
        mutex.lock();
        self.waiters -= 1;
    }

    /// The mutex is held by the caller: that makes `waiters` exact, and a signal without waiters free.
    pub fn broadcast(self: *Condition) void {
        if (self.waiters == 0) return;
        _ = self.sequence.fetchAdd(1, .monotonic);
        wake(&self.sequence, std.math.maxInt(i32));
    }

    pub fn signal(self: *Condition) void {
        if (self.waiters == 0) return;
        _ = self.sequence.fetchAdd(1, .monotonic);
        wake(&self.sequence, 1);
    }
};

const futexWait = wait;

fn wait(word: *const std.atomic.Value(u32), expected: u32) void {
    // EAGAIN (it changed) and EINTR both mean: look again, which every caller does.
    _ = linux.futex_4arg(word, .{ .cmd = .WAIT, .private = true }, expected, null);
}

fn wake(word: *const std.atomic.Value(u32), count: u32) void {
    _ = linux.futex_3arg(word, .{ .cmd = .WAKE, .private = true }, count);
}
