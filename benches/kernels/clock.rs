//! Processor time: what the kernels took, whatever else ran on the machine meanwhile. For one thread on an idle machine
//! it is the time on the wall.

use std::time::Duration;

/// Processor time that this process has used.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub fn now() -> Duration {
    #[repr(C)]
    struct Time {
        seconds: i64,
        nanoseconds: i64,
    }
    const PROCESS: i32 = 2;
    unsafe extern "C" {
        fn clock_gettime(clock: i32, time: *mut Time) -> i32;
    }
    let mut time = Time { seconds: 0, nanoseconds: 0 };
    // SAFETY: `Time` is what the call writes on a 64-bit Linux.
    let failed = unsafe { clock_gettime(PROCESS, &raw mut time) } != 0;
    assert!(!failed, "the system has no processor time of a process");
    Duration::new(time.seconds as u64, time.nanoseconds as u32)
}

/// The time on the wall, where the system's call is not known here.
#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
pub fn now() -> Duration {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// What `work` takes.
pub fn timed(work: impl FnOnce()) -> Duration {
    let start = now();
    work();
    now() - start
}
