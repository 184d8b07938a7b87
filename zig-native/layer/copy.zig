//! Whole trees, copied.
pub fn treeInto(from: i32, to: i32) void {
    _ = from;
    _ = to;
}
