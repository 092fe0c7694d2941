use super::Lanes;
use half::f16;

// SAFETY: this is the specification.
unsafe impl Lanes for f32 {
    const COUNT: usize = 1;
    type Mask = bool;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        value
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's pointer is good for one value.
        unsafe { from.read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's pointer is good for one value.
        unsafe { to.write_unaligned(self) }
    }
    #[inline(always)]
    unsafe fn load_f16(from: *const f16) -> Self {
        // SAFETY: the caller's pointer is good for one value.
        unsafe { from.read_unaligned() }.to_f32()
    }
    #[inline(always)]
    unsafe fn store_f16(self, to: *mut f16) {
        // SAFETY: the caller's pointer is good for one value.
        unsafe { to.write_unaligned(f16::from_f32(self)) }
    }
    #[inline(always)]
    unsafe fn load_i32(from: *const i32) -> Self {
        // SAFETY: the caller's pointer is good for one value.
        unsafe { from.read_unaligned() as f32 }
    }
    #[inline(always)]
    unsafe fn load_i32_less(from: *const i32, factor: i32, terms: *const i32) -> Self {
        // SAFETY: the caller's pointers are good for one value.
        unsafe {
            from.read_unaligned().wrapping_sub(factor.wrapping_mul(terms.read_unaligned())) as f32
        }
    }
    #[inline(always)]
    unsafe fn load_i8(from: *const i8) -> Self {
        // SAFETY: the caller's pointer is good for one value.
        f32::from(unsafe { *from })
    }
    #[inline(always)]
    unsafe fn store_i8(self, to: *mut i8) {
        // SAFETY: the caller's pointer is good for one value.
        unsafe { *to = self.round_ties_even() as i8 }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self + other
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        self - other
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self * other
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        self / other
    }
    #[inline(always)]
    unsafe fn fma(self, factor: Self, term: Self) -> Self {
        self.mul_add(factor, term)
    }
    #[inline(always)]
    unsafe fn sqrt(self) -> Self {
        f32::sqrt(self)
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        f32::abs(self)
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        self.round_ties_even()
    }
    #[inline(always)]
    unsafe fn at_least(self, limit: Self) -> Self {
        if self < limit { limit } else { self }
    }
    #[inline(always)]
    unsafe fn at_most(self, limit: Self) -> Self {
        if self > limit { limit } else { self }
    }
    #[inline(always)]
    unsafe fn exp2_of_integer(self) -> Self {
        f32::from_bits(((self as i32 + 127) as u32) << 23)
    }
    #[inline(always)]
    unsafe fn less_than(self, other: Self) -> bool {
        self < other
    }
    #[inline(always)]
    unsafe fn select(mask: bool, yes: Self, no: Self) -> Self {
        if mask { yes } else { no }
    }
    #[inline(always)]
    unsafe fn swap_pairs(self) -> Self {
        self
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        self
    }
    #[inline(always)]
    unsafe fn greatest(self) -> f32 {
        self
    }
}
