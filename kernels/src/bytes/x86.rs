use super::Bytes;
use std::arch::x86_64::*;

/// Sixteen bytes of AVX2; words are one register.
#[derive(Clone, Copy)]
pub struct Avx2(__m128i);

/// For each of three registers of 48 bytes: which of their bytes go into register `part`, as `pshufb` wants it.
const fn joined(part: usize) -> [[i8; 16]; 3] {
    let mut table = [[-1; 16]; 3];
    let mut at = 0;
    while at < 16 {
        let whole = part * 16 + at;
        table[whole % 3][at] = (whole / 3) as i8;
        at += 1;
    }
    table
}

/// For each of three registers of 48 bytes: where in it the bytes of channel `channel` lie.
const fn parted(channel: usize) -> [[i8; 16]; 3] {
    let mut table = [[-1; 16]; 3];
    let mut at = 0;
    while at < 16 {
        let whole = at * 3 + channel;
        table[whole / 16][at] = (whole % 16) as i8;
        at += 1;
    }
    table
}

/// `order` puts each byte beside the one that it is mixed with, `spread` the weights there. Pixels are made signed, so that
/// the product of bytes takes weights up to 128.
#[inline(always)]
unsafe fn mixed(
    from: [*const u8; 4],
    order: __m256i,
    weights: *const u8,
    spread: __m256i,
) -> __m256i {
    // SAFETY: the caller has AVX2, eight bytes a pointer and four weights.
    unsafe {
        let low =
            _mm_unpacklo_epi64(_mm_loadl_epi64(from[0].cast()), _mm_loadl_epi64(from[1].cast()));
        let high =
            _mm_unpacklo_epi64(_mm_loadl_epi64(from[2].cast()), _mm_loadl_epi64(from[3].cast()));
        let pairs = _mm256_shuffle_epi8(_mm256_set_m128i(high, low), order);
        let signed = _mm256_xor_si256(pairs, _mm256_set1_epi8(-128));
        let weights = _mm256_set1_epi32(weights.cast::<i32>().read_unaligned());
        let weights = _mm256_shuffle_epi8(weights, spread);
        // 128 − weight in the even bytes.
        let weights = _mm256_xor_si256(weights, _mm256_set1_epi16(0x00ff));
        let weights = _mm256_add_epi8(weights, _mm256_set1_epi16(0x0081));
        _mm256_add_epi16(_mm256_maddubs_epi16(weights, signed), _mm256_set1_epi16(128 * 128))
    }
}

const JOINED: [[[i8; 16]; 3]; 3] = [joined(0), joined(1), joined(2)];
const PARTED: [[[i8; 16]; 3]; 3] = [parted(0), parted(1), parted(2)];

#[inline(always)]
unsafe fn gathered(from: [__m128i; 3], table: &[[i8; 16]; 3]) -> __m128i {
    // SAFETY: the CPU has AVX2, as the caller says; each row of the table is 16 bytes.
    unsafe {
        let a = _mm_shuffle_epi8(from[0], _mm_loadu_si128(table[0].as_ptr().cast()));
        let b = _mm_shuffle_epi8(from[1], _mm_loadu_si128(table[1].as_ptr().cast()));
        let c = _mm_shuffle_epi8(from[2], _mm_loadu_si128(table[2].as_ptr().cast()));
        _mm_or_si128(_mm_or_si128(a, b), c)
    }
}

#[inline(always)]
unsafe fn narrowed(words: __m256i) -> __m128i {
    // SAFETY: the CPU has AVX2, as the caller says.
    unsafe { _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words)) }
}
// SAFETY: whole numbers throughout; the tests of the operations compare every method's use with plain loops.
unsafe impl Bytes for Avx2 {
    type Words = __m256i;
    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm_loadu_si128(from.cast())) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm_storeu_si128(to.cast(), self.0) }
    }
    #[inline(always)]
    unsafe fn load2(from: *const u8) -> [Self; 2] {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self::unzip(Self::load(from), Self::load(from.add(16))) }
    }
    #[inline(always)]
    unsafe fn load3(from: *const u8) -> [Self; 3] {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let parts = [
                _mm_loadu_si128(from.cast()),
                _mm_loadu_si128(from.add(16).cast()),
                _mm_loadu_si128(from.add(32).cast()),
            ];
            [
                Self(gathered(parts, &PARTED[0])),
                Self(gathered(parts, &PARTED[1])),
                Self(gathered(parts, &PARTED[2])),
            ]
        }
    }
    #[inline(always)]
    unsafe fn load4(from: *const u8) -> [Self; 4] {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let order = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
            let a = _mm_shuffle_epi8(_mm_loadu_si128(from.cast()), order);
            let b = _mm_shuffle_epi8(_mm_loadu_si128(from.add(16).cast()), order);
            let c = _mm_shuffle_epi8(_mm_loadu_si128(from.add(32).cast()), order);
            let d = _mm_shuffle_epi8(_mm_loadu_si128(from.add(48).cast()), order);
            let (ab, cd) = (_mm_unpacklo_epi32(a, b), _mm_unpacklo_epi32(c, d));
            let (ef, gh) = (_mm_unpackhi_epi32(a, b), _mm_unpackhi_epi32(c, d));
            [
                Self(_mm_unpacklo_epi64(ab, cd)),
                Self(_mm_unpackhi_epi64(ab, cd)),
                Self(_mm_unpacklo_epi64(ef, gh)),
                Self(_mm_unpackhi_epi64(ef, gh)),
            ]
        }
    }
    #[inline(always)]
    unsafe fn store2(values: [Self; 2], to: *mut u8) {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let [low, high] = Self::zip(values[0], values[1]);
            low.store(to);
            high.store(to.add(16));
        }
    }
    #[inline(always)]
    unsafe fn store3(values: [Self; 3], to: *mut u8) {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let parts = [values[0].0, values[1].0, values[2].0];
            for part in 0..3 {
                _mm_storeu_si128(to.add(part * 16).cast(), gathered(parts, &JOINED[part]));
            }
        }
    }
    #[inline(always)]
    unsafe fn store4(values: [Self; 4], to: *mut u8) {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let [Self(a), Self(b), Self(c), Self(d)] = values;
            let (ab, cd) = (_mm_unpacklo_epi8(a, b), _mm_unpacklo_epi8(c, d));
            let (ef, gh) = (_mm_unpackhi_epi8(a, b), _mm_unpackhi_epi8(c, d));
            let parts = [
                _mm_unpacklo_epi16(ab, cd),
                _mm_unpackhi_epi16(ab, cd),
                _mm_unpacklo_epi16(ef, gh),
                _mm_unpackhi_epi16(ef, gh),
            ];
            for part in 0..4 {
                _mm_storeu_si128(to.add(part * 16).cast(), parts[part]);
            }
        }
    }
    #[inline(always)]
    unsafe fn splat(value: u8) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm_set1_epi8(value as i8)) }
    }
    #[inline(always)]
    unsafe fn zip(a: Self, b: Self) -> [Self; 2] {
        // SAFETY: what the trait asks of the caller.
        unsafe { [Self(_mm_unpacklo_epi8(a.0, b.0)), Self(_mm_unpackhi_epi8(a.0, b.0))] }
    }
    #[inline(always)]
    unsafe fn unzip(a: Self, b: Self) -> [Self; 2] {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let order = _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
            let (a, b) = (_mm_shuffle_epi8(a.0, order), _mm_shuffle_epi8(b.0, order));
            [Self(_mm_unpacklo_epi64(a, b)), Self(_mm_unpackhi_epi64(a, b))]
        }
    }
    #[inline(always)]
    unsafe fn average(self, other: Self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm_avg_epu8(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn complement(self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm_xor_si128(self.0, _mm_set1_epi8(-1))) }
    }
    #[inline(always)]
    unsafe fn add_bytes(self, other: Self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm_add_epi8(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn add_bytes_saturating(self, other: Self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm_adds_epu8(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn centred(self) -> Self::Words {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            _mm256_slli_epi16::<8>(_mm256_cvtepu8_epi16(_mm_xor_si128(self.0, _mm_set1_epi8(-128))))
        }
    }
    #[inline(always)]
    unsafe fn widen<const LEFT: i32>(self) -> Self::Words {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm256_slli_epi16::<LEFT>(_mm256_cvtepu8_epi16(self.0)) }
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self::Words {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm256_mullo_epi16(_mm256_cvtepu8_epi16(self.0), _mm256_cvtepu8_epi16(other.0)) }
    }
    #[inline(always)]
    unsafe fn mul_add(self, other: Self, sum: Self::Words) -> Self::Words {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm256_add_epi16(sum, self.mul(other)) }
    }
    #[inline(always)]
    unsafe fn mul_sub(self, other: Self, sum: Self::Words) -> Self::Words {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm256_sub_epi16(sum, self.mul(other)) }
    }
    #[inline(always)]
    unsafe fn words(value: i16) -> Self::Words {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm256_set1_epi16(value) }
    }
    #[inline(always)]
    unsafe fn load_words(from: *const i16) -> Self::Words {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }
    #[inline(always)]
    unsafe fn store_words(words: Self::Words, to: *mut i16) {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm256_storeu_si256(to.cast(), words) }
    }
    #[inline(always)]
    unsafe fn add(a: Self::Words, b: Self::Words) -> Self::Words {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm256_add_epi16(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: Self::Words, b: Self::Words) -> Self::Words {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm256_sub_epi16(a, b) }
    }
    #[inline(always)]
    unsafe fn add_saturating(a: Self::Words, b: Self::Words) -> Self::Words {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm256_adds_epi16(a, b) }
    }
    #[inline(always)]
    unsafe fn mul_round(a: Self::Words, b: Self::Words) -> Self::Words {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm256_mulhrs_epi16(a, b) }
    }
    #[inline(always)]
    unsafe fn narrow<const RIGHT: i32>(words: Self::Words) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            Self(narrowed(_mm256_srai_epi16::<RIGHT>(_mm256_adds_epi16(
                words,
                _mm256_set1_epi16(1 << (RIGHT - 1)),
            ))))
        }
    }
    #[inline(always)]
    unsafe fn high_bytes(words: Self::Words) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(narrowed(_mm256_srli_epi16::<8>(words))) }
    }
    #[inline(always)]
    unsafe fn over_255(words: Self::Words) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let t = _mm256_add_epi16(words, _mm256_set1_epi16(128));
            Self(narrowed(_mm256_srli_epi16::<8>(_mm256_add_epi16(t, _mm256_srli_epi16::<8>(t)))))
        }
    }
    #[inline(always)]
    unsafe fn mix3(from: [*const u8; 4], weights: *const u8) -> Self::Words {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let order = _mm256_broadcastsi128_si256(_mm_setr_epi8(
                0, 3, 1, 4, 2, 5, 8, 11, 9, 12, 10, 13, -1, -1, -1, -1,
            ));
            let spread = _mm256_setr_epi8(
                0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3,
                3, 3, 3, 3,
            );
            mixed(from, order, weights, spread)
        }
    }
    #[inline(always)]
    unsafe fn mix4(from: [*const u8; 4], weights: *const u8) -> Self::Words {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let order = _mm256_broadcastsi128_si256(_mm_setr_epi8(
                0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15,
            ));
            let spread = _mm256_setr_epi8(
                0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3,
                3, 3, 3, 3,
            );
            mixed(from, order, weights, spread)
        }
    }
    #[inline(always)]
    unsafe fn mix(first: Self, second: Self, weights: Self) -> Self::Words {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            second.mul_add(weights, first.mul(Self(_mm_sub_epi8(_mm_set1_epi8(-128), weights.0))))
        }
    }
    #[inline(always)]
    unsafe fn spread3(values: *const i16) -> Self::Words {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let order = _mm256_setr_epi8(
                0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3, -1, -1, -1, -1, 4, 5, 4, 5, 4, 5, 6, 7, 6, 7,
                6, 7, -1, -1, -1, -1,
            );
            _mm256_shuffle_epi8(_mm256_set1_epi64x(values.cast::<i64>().read_unaligned()), order)
        }
    }
    #[inline(always)]
    unsafe fn spread4(values: *const i16) -> Self::Words {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let order = _mm256_setr_epi8(
                0, 1, 0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3, 2, 3, 4, 5, 4, 5, 4, 5, 4, 5, 6, 7, 6, 7,
                6, 7, 6, 7,
            );
            _mm256_shuffle_epi8(_mm256_set1_epi64x(values.cast::<i64>().read_unaligned()), order)
        }
    }
    #[inline(always)]
    unsafe fn compact3(self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            Self(_mm_shuffle_epi8(
                self.0,
                _mm_setr_epi8(0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, -1, -1, -1, -1),
            ))
        }
    }
    #[inline(always)]
    unsafe fn taps<const C: usize>(line: *const i16, weights: *const i16, groups: usize) -> u32 {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let mut sum = _mm_setzero_si128();
            for group in 0..groups {
                let values = _mm_loadu_si128(line.add(group * (8 / C * C)).cast());
                let weights = _mm_loadu_si128(weights.add(group * 8).cast());
                sum = _mm_add_epi16(sum, _mm_mulhrs_epi16(values, weights));
            }
            let pixel = match C {
                1 => {
                    let half = _mm_add_epi16(sum, _mm_bsrli_si128::<8>(sum));
                    let quarter = _mm_add_epi16(half, _mm_bsrli_si128::<4>(half));
                    _mm_add_epi16(quarter, _mm_bsrli_si128::<2>(quarter))
                }
                3 => _mm_add_epi16(sum, _mm_bsrli_si128::<6>(sum)),
                _ => _mm_add_epi16(sum, _mm_bsrli_si128::<8>(sum)),
            };
            let rounded = _mm_srai_epi16::<7>(_mm_adds_epi16(pixel, _mm_set1_epi16(64)));
            _mm_cvtsi128_si32(_mm_packus_epi16(rounded, rounded)) as u32
        }
    }
}
