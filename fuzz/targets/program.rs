#![no_main]

#[allow(dead_code, reason = "a target uses a part of them")]
mod checks;
mod programs;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    checks::program(programs::program(bytes));
});
