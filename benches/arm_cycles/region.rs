//! Marks what the plugin in `targets/armcycles` is to count.

/// Opens region number `region`: from here on its block counts go to the plugin's file `<out>.<region>`.
pub fn open(region: u16) {
    mark(2 * u64::from(region));
}

/// Closes a region that is open.
pub fn close(region: u16) {
    mark(2 * u64::from(region) + 1);
}

/// The system call `sched_get_priority_max` with a policy that there is not: it fails and has no effect.
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
#[expect(clippy::allow_attributes, reason = "`kernels` has no lint of unsafe code to expect")]
#[allow(unsafe_code, reason = "no library makes a system call by its number")]
#[inline(never)]
fn mark(tag: u64) {
    const SCHED_GET_PRIORITY_MAX: u64 = 125;
    const MARK: u64 = 0x5a0000;
    // SAFETY: the call reads its argument only, and returns an error.
    unsafe {
        std::arch::asm!("svc 0", in("x8") SCHED_GET_PRIORITY_MAX, inlateout("x0") MARK + tag => _, options(nostack));
    }
}

#[cfg(not(all(target_arch = "aarch64", target_os = "linux")))]
fn mark(_: u64) {}
