//! Threads that create small regular files, straight out of the ring, while the archive reader goes on. Creating a file
//! costs the kernel more than decompressing it, and it can do several at once.
//!
//! What keeps this the same as doing one after the other: only files whose name is new in this layer come here, and
//! whoever touches a name a second time, or looks at what is there, calls `idle` before.
const std = @import("std");
const files = @import("files.zig");
const Ring = @import("ring.zig").Ring;
const sync = @import("sync.zig");

const capacity = 256;
const threads_max = 3;

pub const Pool = struct {
    ring: *Ring,
    thread_count: usize = 0,
    mutex: sync.Mutex = .{},
    work: sync.Condition = .{},
    finished: sync.Condition = .{},
    jobs: [capacity]files.Job = undefined,
    done: [capacity]bool = undefined,
    /// Counters of jobs: added, taken by a thread, finished with all before them.
    added: u64 = 0,
    taken: u64 = 0,
    settled: u64 = 0,
    /// How far the archive reader itself is.
    position: u64 = 0,

    pub fn init(self: *Pool, ring: *Ring, thread_count: usize) void {
        self.ring = ring;
        self.thread_count = 0;
        for (0..@min(thread_count, threads_max)) |_| {
            const thread = std.Thread.spawn(.{ .stack_size = 128 * 1024 }, serve, .{self}) catch break; // fewer will do
            thread.detach();
            self.thread_count += 1;
        }
    }

    /// The job's bytes are in the ring and stay there until it is done.
    pub fn add(self: *Pool, job: files.Job) void {
        if (self.thread_count == 0) {
            files.create(&job);
            job.directory.release();
            return;
        }
        self.mutex.lock();
        while (self.added - self.settled == capacity) self.finished.wait(&self.mutex);
        self.jobs[self.added % capacity] = job;
        self.done[self.added % capacity] = false;
        self.added += 1;
        self.work.signal();
        self.mutex.unlock();
    }

    /// Wait until all files are written.
    pub fn idle(self: *Pool) void {
        self.mutex.lock();
        while (self.settled != self.added) self.finished.wait(&self.mutex);
        self.mutex.unlock();
    }

    /// The archive reader needs nothing before `position` any more.
    pub fn advance(self: *Pool, position: u64) void {
        self.mutex.lock();
        self.position = position;
        if (self.settled == self.added) self.ring.setReleased(position);
        self.mutex.unlock();
    }

    fn serve(self: *Pool) void {
        self.mutex.lock();
        while (true) {
            while (self.taken == self.added) self.work.wait(&self.mutex);
            const index = self.taken;
            self.taken += 1;
            self.mutex.unlock();
            const job = &self.jobs[index % capacity];
            files.create(job);
            job.directory.release();
            self.mutex.lock();
            self.settle(index);
        }
    }

    fn settle(self: *Pool, index: u64) void {
        self.done[index % capacity] = true;
        if (index != self.settled) return;
        while (self.settled < self.taken and self.done[self.settled % capacity]) self.settled += 1;
        const free = if (self.settled == self.added) self.position else self.jobs[self.settled % capacity].position;
        self.ring.setReleased(free);
        self.finished.broadcast();
    }
};
