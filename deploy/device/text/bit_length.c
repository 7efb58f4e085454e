/* 0 for 0, floor(log2(x)) + 1 otherwise. */
static int fixed_bit_length(uint32_t x)
{
#if defined(__GNUC__)
    return x != 0 ? 32 - __builtin_clz(x) : 0;
#else
    int bits = 0;
    int step;
    for (step = 16; step > 0; step /= 2) {
        if (x >> step != 0) {
            x >>= step;
            bits += step;
        }
    }
    return bits + (x != 0 ? 1 : 0);
#endif
}

static int fixed_wide_bit_length(uint64_t x)
{
    const uint32_t top = (uint32_t)(x >> 32);
    return top != 0 ? 32 + fixed_bit_length(top) : fixed_bit_length((uint32_t)x);
}
