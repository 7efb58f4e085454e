/* ---- arithmetic: one instruction each on a core with the DSP extension ---------------------- */

#if defined(__BYTE_ORDER__) && defined(__ORDER_BIG_ENDIAN__) && \
    __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#error "the packed weights are for little-endian cores"
#endif

#if defined(__GNUC__)
#if defined(PPG_SEPARATE) /* Much faster to compile with sanitizers. */
#define PPG_INLINE static __attribute__((unused))
#else
#define PPG_INLINE static inline __attribute__((always_inline, unused))
#endif
#define PPG_STEP static __attribute__((noinline, unused))
/* Keeps loads where they are written: hoisted ones spill the accumulators. */
#define PPG_ORDER() __asm__ volatile("" ::: "memory")
/* Hides a loop's trip count, so that it is neither unrolled further nor rewritten. */
#define PPG_OPAQUE(value) __asm__("" : "+r"(value))
/* One load or store where the compiler knows the size, even in a freestanding build. */
#define PPG_COPY(to, from, size) __builtin_memcpy(to, from, size)
#else
#define PPG_INLINE static inline
#define PPG_STEP static
#define PPG_ORDER() ((void)0)
#define PPG_OPAQUE(value) ((void)0)
#define PPG_COPY(to, from, size) memcpy(to, from, size)
#endif

#if defined(__thumb__) && !defined(__thumb2__)
#define PPG_NARROW /* A Cortex-M0+: eight registers, products of 32 bits, aligned words alone. */
#endif

#if defined(PPG_NARROW) /* gcc would call memcpy. */

PPG_INLINE uint32_t load32(const void *from)
{
    const uint8_t *byte = (const uint8_t *)from;
    return byte[0] | (uint32_t)byte[1] << 8 | (uint32_t)byte[2] << 16 | (uint32_t)byte[3] << 24;
}

PPG_INLINE void store16(void *to, uint32_t value)
{
    uint8_t *byte = (uint8_t *)to;
    byte[0] = (uint8_t)(value & 0xffu);
    byte[1] = (uint8_t)(value >> 8 & 0xffu);
}

#else

PPG_INLINE uint32_t load32(const void *from)
{
    uint32_t word;
    PPG_COPY(&word, from, sizeof word);
    return word;
}

PPG_INLINE void store16(void *to, uint32_t value)
{
    const uint16_t half = (uint16_t)(value & 0xffffu);
    PPG_COPY(to, &half, sizeof half);
}

#endif

#if defined(__ARM_FEATURE_SIMD32) && defined(__thumb2__) && defined(__GNUC__) && \
    !defined(PPG_PORTABLE) && !defined(PPG_NO_ASSEMBLY) && !defined(__ARM_RWPI)
#define PPG_ASSEMBLY
#endif

#if defined(__ARM_FEATURE_SIMD32) && !defined(PPG_PORTABLE)

/* Bytes 0 and 2 as two signed halves. */
PPG_INLINE uint32_t widen(uint32_t bytes)
{
    return (uint32_t)__sxtb16((int8x4_t)bytes);
}

/* Bytes 1 and 3. gcc does not fold the rotation into the instruction. */
PPG_INLINE uint32_t widen_odd(uint32_t bytes)
{
#if defined(__GNUC__) && !defined(__clang__)
    uint32_t halves;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(halves) : "r"(bytes));
    return halves;
#else
    return (uint32_t)__sxtb16((int8x4_t)((bytes >> 8) | (bytes << 24)));
#endif
}

/* sum + a.low * b.low + a.high * b.high */
PPG_INLINE int32_t dot2(uint32_t a, uint32_t b, int32_t sum)
{
    return __smlad((int16x2_t)a, (int16x2_t)b, sum);
}

/* Two sums of two bytes each: halves of `sums` plus bytes 0 and 2. */
PPG_INLINE uint32_t widen_add(uint32_t sums, uint32_t bytes)
{
    return (uint32_t)__sxtab16((int16x2_t)sums, (int8x4_t)bytes);
}

#else

PPG_INLINE int32_t low_half(uint32_t word)
{
    return (int32_t)((word & 0xffffu) ^ 0x8000u) - 0x8000;
}

PPG_INLINE int32_t high_half(uint32_t word)
{
    return low_half(word >> 16);
}

PPG_INLINE int32_t byte_of(uint32_t word)
{
    return (int32_t)((word & 0xffu) ^ 0x80u) - 0x80;
}

PPG_INLINE uint32_t halves(int32_t low, int32_t high)
{
    return ((uint32_t)low & 0xffffu) | ((uint32_t)high << 16);
}

PPG_INLINE uint32_t widen(uint32_t bytes)
{
    return halves(byte_of(bytes), byte_of(bytes >> 16));
}

PPG_INLINE uint32_t widen_odd(uint32_t bytes)
{
    return halves(byte_of(bytes >> 8), byte_of(bytes >> 24));
}

PPG_INLINE int32_t dot2(uint32_t a, uint32_t b, int32_t sum)
{
    return sum + low_half(a) * low_half(b) + high_half(a) * high_half(b);
}

PPG_INLINE uint32_t widen_add(uint32_t sums, uint32_t bytes)
{
    return halves(low_half(sums) + byte_of(bytes), high_half(sums) + byte_of(bytes >> 16));
}

#endif

/* clang makes one SSAT of the plain text, gcc does not. */
PPG_INLINE int32_t saturate(int32_t value)
{
#if defined(__ARM_FEATURE_SAT) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(PPG_PORTABLE)
    int32_t result;
    __asm__("ssat %0, #8, %1" : "=r"(result) : "r"(value) : "cc");
    return result;
#else
    return value < -128 ? -128 : value > 127 ? 127 : value;
#endif
}

/* Arithmetic shift to the right; what every compiler does with a negative value. */
PPG_INLINE int32_t shift_right(int32_t value, int bits)
{
    return value >> bits;
}

/* base + (value * factor + 2^31) / 2^32, rounded down. */
PPG_INLINE int32_t rescale(int32_t value, int32_t factor, int32_t base)
{
#if defined(__ARM_FEATURE_DSP) && defined(__GNUC__) && !defined(PPG_PORTABLE)
    int32_t result;
    __asm__("smmlar %0, %1, %2, %3" : "=r"(result) : "r"(value), "r"(factor), "r"(base));
    return result;
#elif defined(PPG_NARROW) /* No product of 64 bits: of halves instead. */
    const int32_t high = value >> 16, by_high = factor >> 16;
    const int32_t low = value & 0xffff, by_low = factor & 0xffff;
    const int32_t one = high * by_low, other = low * by_high;
    const uint32_t rest = ((uint32_t)low * (uint32_t)by_low >> 16) + ((uint32_t)one & 0xffffu) +
                          ((uint32_t)other & 0xffffu) + 0x8000u;
    return base + high * by_high + (one >> 16) + (other >> 16) + (int32_t)(rest >> 16);
#else
    return base + (int32_t)(((int64_t)value * factor + INT64_C(0x80000000)) >> 32);
#endif
}

PPG_INLINE int32_t clamp(int32_t value, int32_t low, int32_t high)
{
    value = saturate(value);
    if (low > -128 && value < low) {
        value = low;
    }
    if (high < 127 && value > high) {
        value = high;
    }
    return value;
}
