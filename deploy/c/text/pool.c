/* ---- pooling over all positions, four channels at a time -------------------------------------- */

/* Sums of bytes 0 and 2, and of bytes 1 and 3, over at most 255 positions: they fit 16 bits. */
PPG_INLINE void pool_sums(const int8_t *from, int step, int positions, int32_t sums[4])
{
    uint32_t even = 0, odd = 0;
    int left = positions;
    PPG_OPAQUE(left);
    do {
        const uint32_t word = load32(from);
        even = widen_add(even, word);
        odd = widen_add(odd, (word >> 8) | (word << 24));
        from += step;
    } while (--left != 0);
    sums[0] += (int16_t)(even & 0xffffu);
    sums[1] += (int16_t)(odd & 0xffffu);
    sums[2] += (int16_t)(even >> 16);
    sums[3] += (int16_t)(odd >> 16);
}

/* Mean of stored values, ties away from zero. */
PPG_INLINE void avg_pool(const int8_t *from, int8_t *to, int positions, int channels, int32_t low,
                         int32_t high)
{
    for (int channel = 0; channel < channels; channel += 4) {
        int32_t sums[4] = {0, 0, 0, 0};
        for (int start = 0; start < positions; start += 255) {
            const int run = positions - start < 255 ? positions - start : 255;
            pool_sums(from + start * channels + channel, channels, run, sums);
        }
        for (int lane = 0; lane < 4; lane++) {
            const int32_t half = sums[lane] < 0 ? -(positions / 2) : positions / 2;
            to[channel + lane] = (int8_t)clamp((sums[lane] + half) / positions, low, high);
        }
    }
}

PPG_INLINE void max_pool(const int8_t *from, int8_t *to, int positions, int channels, int32_t low,
                         int32_t high)
{
    for (int channel = 0; channel < channels; channel++) {
        int32_t largest = -128;
        for (int position = 0; position < positions; position++) {
            const int32_t value = from[position * channels + channel];
            largest = value > largest ? value : largest;
        }
        to[channel] = (int8_t)clamp(largest, low, high);
    }
}
