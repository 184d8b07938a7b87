//! What a group of processes may do with devices. Of several rules the last one that names an access decides on it, and what none
//! names is denied.

pub const Rule = struct {
    allow: bool,
    /// 0 for all, else linux/bpf.h's BPF_DEVCG_DEV_*: 1 a block device, 2 a character device.
    kind: u2,
    /// Null: any.
    major: ?u32,
    minor: ?u32,
    /// BPF_DEVCG_ACC_*
    access: u3,

    pub const make: u3 = 1;
    pub const read: u3 = 2;
    pub const write: u3 = 4;

    /// All devices, all that can be done with them.
    pub fn isWhole(self: Rule) bool {
        return self.kind == 0 and self.major == null and self.minor == null and self.access == make | read | write;
    }
};
