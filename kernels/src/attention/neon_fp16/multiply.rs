//! Products of panels in half precision, by the lanes of one operand.

use half::f16;
use std::arch::asm;

/// Eight products, or sums of them, by the lanes of one register, for the sums and lanes that follow.
macro_rules! rows {
    ($operation:literal $b:literal $a:literal: $($sum:literal $lane:literal),*) => {
        concat!($($operation, " v", $sum, ".8h, v", $b, ".8h, v", $a, ".h[", $lane, "]\n",)*)
    };
}

/// Adds what is in memory to pairs of sums, by way of two registers that are free.
macro_rules! add {
    ($($first:literal $second:literal $at:literal),*) => {
        concat!($(
            "ldp q0, q1, [{c}, #", $at, "]\n",
            "fadd v", $first, ".8h, v", $first, ".8h, v0.8h\n",
            "fadd v", $second, ".8h, v", $second, ".8h, v1.8h\n",
        )*)
    };
}

macro_rules! write {
    ($($first:literal $second:literal $at:literal),*) => {
        concat!($("stp q", $first, ", q", $second, ", [{c}, #", $at, "]\n",)*)
    };
}

/// `C[8, W · 8] = Σk a[k, 8] · b[k, W · 8]`, rounded to halves at every step; with `ADD` it is added to C.
///
/// # Safety
/// `a` and `b` hold `depth` > 0 rows, `c` eight.
#[inline]
#[target_feature(enable = "neon,fp16")]
pub(super) unsafe fn multiply<const W: usize, const ADD: bool>(
    a: *const f16,
    b: *const f16,
    depth: usize,
    c: *mut f16,
) {
    let add = usize::from(ADD);
    // SAFETY: each step reads one row of `a` and of `b`; the end reads and writes eight rows of `c`.
    unsafe {
        match W {
            1 => asm!(
                "ldr q0, [{b}], #16",
                "ldr q3, [{a}], #16",
                "subs {depth}, {depth}, #1",
                rows!("fmul" "0" "3": "8" "0", "9" "1", "10" "2", "11" "3", "12" "4", "13" "5", "14" "6", "15" "7"),
                "b.eq 3f",
                "2:",
                "ldr q0, [{b}], #16",
                "ldr q3, [{a}], #16",
                "subs {depth}, {depth}, #1",
                rows!("fmla" "0" "3": "8" "0", "9" "1", "10" "2", "11" "3", "12" "4", "13" "5", "14" "6", "15" "7"),
                "b.ne 2b",
                "3:",
                "cbz {add}, 4f",
                add!("8" "9" "0", "10" "11" "32", "12" "13" "64", "14" "15" "96"),
                "4:",
                write!("8" "9" "0", "10" "11" "32", "12" "13" "64", "14" "15" "96"),
                a = inout(reg) a => _, b = inout(reg) b => _, depth = inout(reg) depth => _, c = in(reg) c, add = in(reg) add,
                out("v0") _, out("v1") _, out("v3") _, out("v8") _, out("v9") _, out("v10") _, out("v11") _, out("v12") _, out("v13") _, out("v14") _, out("v15") _, options(nostack)
            ),
            2 => asm!(
                "ldp q0, q1, [{b}], #32",
                "ldr q3, [{a}], #16",
                "subs {depth}, {depth}, #1",
                rows!("fmul" "0" "3": "8" "0", "10" "1", "12" "2", "14" "3", "16" "4", "18" "5", "20" "6", "22" "7"),
                rows!("fmul" "1" "3": "9" "0", "11" "1", "13" "2", "15" "3", "17" "4", "19" "5", "21" "6", "23" "7"),
                "b.eq 3f",
                "2:",
                "ldp q0, q1, [{b}], #32",
                "ldr q3, [{a}], #16",
                "subs {depth}, {depth}, #1",
                rows!("fmla" "0" "3": "8" "0", "10" "1", "12" "2", "14" "3", "16" "4", "18" "5", "20" "6", "22" "7"),
                rows!("fmla" "1" "3": "9" "0", "11" "1", "13" "2", "15" "3", "17" "4", "19" "5", "21" "6", "23" "7"),
                "b.ne 2b",
                "3:",
                "cbz {add}, 4f",
                add!("8" "9" "0", "10" "11" "32", "12" "13" "64", "14" "15" "96", "16" "17" "128", "18" "19" "160", "20" "21" "192", "22" "23" "224"),
                "4:",
                write!("8" "9" "0", "10" "11" "32", "12" "13" "64", "14" "15" "96", "16" "17" "128", "18" "19" "160", "20" "21" "192", "22" "23" "224"),
                a = inout(reg) a => _, b = inout(reg) b => _, depth = inout(reg) depth => _, c = in(reg) c, add = in(reg) add,
                out("v0") _, out("v1") _, out("v3") _, out("v8") _, out("v9") _, out("v10") _, out("v11") _, out("v12") _, out("v13") _, out("v14") _, out("v15") _, out("v16") _, out("v17") _, out("v18") _, out("v19") _, out("v20") _, out("v21") _, out("v22") _, out("v23") _, options(nostack)
            ),
            _ => asm!(
                "ldp q0, q1, [{b}]",
                "ldr q2, [{b}, #32]",
                "add {b}, {b}, #48",
                "ldr q3, [{a}], #16",
                "subs {depth}, {depth}, #1",
                rows!("fmul" "0" "3": "8" "0", "11" "1", "14" "2", "17" "3", "20" "4", "23" "5", "26" "6", "29" "7"),
                rows!("fmul" "1" "3": "9" "0", "12" "1", "15" "2", "18" "3", "21" "4", "24" "5", "27" "6", "30" "7"),
                rows!("fmul" "2" "3": "10" "0", "13" "1", "16" "2", "19" "3", "22" "4", "25" "5", "28" "6", "31" "7"),
                "b.eq 3f",
                "2:",
                "ldp q0, q1, [{b}]",
                "ldr q2, [{b}, #32]",
                "add {b}, {b}, #48",
                "ldr q3, [{a}], #16",
                "subs {depth}, {depth}, #1",
                rows!("fmla" "0" "3": "8" "0", "11" "1", "14" "2", "17" "3", "20" "4", "23" "5", "26" "6", "29" "7"),
                rows!("fmla" "1" "3": "9" "0", "12" "1", "15" "2", "18" "3", "21" "4", "24" "5", "27" "6", "30" "7"),
                rows!("fmla" "2" "3": "10" "0", "13" "1", "16" "2", "19" "3", "22" "4", "25" "5", "28" "6", "31" "7"),
                "b.ne 2b",
                "3:",
                "cbz {add}, 4f",
                add!("8" "9" "0", "10" "11" "32", "12" "13" "64", "14" "15" "96", "16" "17" "128", "18" "19" "160", "20" "21" "192", "22" "23" "224", "24" "25" "256", "26" "27" "288", "28" "29" "320", "30" "31" "352"),
                "4:",
                write!("8" "9" "0", "10" "11" "32", "12" "13" "64", "14" "15" "96", "16" "17" "128", "18" "19" "160", "20" "21" "192", "22" "23" "224", "24" "25" "256", "26" "27" "288", "28" "29" "320", "30" "31" "352"),
                a = inout(reg) a => _, b = inout(reg) b => _, depth = inout(reg) depth => _, c = in(reg) c, add = in(reg) add,
                out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v8") _, out("v9") _, out("v10") _, out("v11") _, out("v12") _, out("v13") _, out("v14") _, out("v15") _, out("v16") _, out("v17") _, out("v18") _, out("v19") _, out("v20") _, out("v21") _, out("v22") _, out("v23") _, out("v24") _, out("v25") _, out("v26") _, out("v27") _, out("v28") _, out("v29") _, out("v30") _, out("v31") _, options(nostack)
            ),
        }
    }
}
