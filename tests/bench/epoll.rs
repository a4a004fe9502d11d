//! What the load generator and the origin ask of Linux themselves: epoll(7).

/// `struct epoll_event` of x86-64; packed there and only there.
#[cfg_attr(target_arch = "x86_64", repr(C, packed))]
#[cfg_attr(not(target_arch = "x86_64"), repr(C))]
#[derive(Clone, Copy)]
pub struct Event {
    pub events: u32,
    pub data: u64,
}

pub const EPOLLIN: u32 = 1;
pub const EPOLL_CTL_ADD: i32 = 1;

extern "C" {
    pub fn epoll_create1(flags: i32) -> i32;
    pub fn epoll_ctl(epoll: i32, op: i32, fd: i32, event: *mut Event) -> i32;
    pub fn epoll_wait(epoll: i32, events: *mut Event, max: i32, timeout_ms: i32) -> i32;
}
