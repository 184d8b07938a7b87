//! How long a target goes on, and the seed of each round.
const std = @import("std");
const linux = std.os.linux;

pub const Clock = struct {
    seed: u64,
    rounds: u64 = 0,
    rounds_max: u64,
    end: i64,

    pub fn init(seed: u64, seconds: u64, rounds: u64) Clock {
        const none = seconds == 0 and rounds == 0;
        return .{
            .seed = seed,
            .rounds_max = if (rounds > 0) rounds else if (none) 1 else std.math.maxInt(u64),
            .end = if (seconds > 0) now() + @as(i64, @intCast(seconds)) else std.math.maxInt(i64),
        };
    }

    pub fn next(self: *Clock) ?u64 {
        if (self.rounds == self.rounds_max) return null;
        // The clock is not asked for each of millions.
        if (self.rounds % 16 == 0 and now() >= self.end) return null;
        self.rounds += 1;
        return self.seed +% self.rounds -% 1;
    }
};

pub fn now() i64 {
    var time: linux.timespec = undefined;
    _ = linux.clock_gettime(.REALTIME, &time);
    return time.sec;
}
