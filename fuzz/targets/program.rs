#![no_main]

mod checks;
mod programs;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    checks::program(programs::program(bytes));
});
