#![no_main]

#[allow(dead_code, reason = "a target uses a part of them")]
mod checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    checks::graph(bytes);
});
