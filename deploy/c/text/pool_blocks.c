/* ---- streaming: pooling over this block and those before it ------------------------------------ */

/* Sums of this block take the place of the oldest ones of `before` blocks. */
PPG_INLINE void avg_pool_blocks(const int8_t *from, int8_t *to, int8_t *history, uint32_t slot,
                                int before, int positions, int channels, int32_t low, int32_t high)
{
    const int all = (before + 1) * positions;
    for (int channel = 0; channel < channels; channel += 4) {
        int32_t sums[4] = {0, 0, 0, 0};
        pool_sums(from + channel, channels, positions, sums);
        for (int lane = 0; lane < 4; lane++) {
            const int16_t own = (int16_t)sums[lane];
            int8_t *at = history + 2 * (channel + lane);
            int32_t sum = own;
            for (int block = 0; block < before; block++) {
                int16_t sums_of;
                PPG_COPY(&sums_of, at + 2 * channels * block, 2);
                sum += sums_of;
            }
            PPG_COPY(at + 2 * channels * (int)slot, &own, 2);
            to[channel + lane] =
                (int8_t)clamp((sum + (sum < 0 ? -(all / 2) : all / 2)) / all, low, high);
        }
    }
}

PPG_INLINE void max_pool_blocks(const int8_t *from, int8_t *to, int8_t *history, uint32_t slot,
                                int before, int positions, int channels, int32_t low, int32_t high)
{
    max_pool(from, to, positions, channels, -128, 127);
    for (int channel = 0; channel < channels; channel++) {
        int8_t *at = history + channel;
        int32_t largest = to[channel];
        for (int block = 0; block < before; block++) {
            const int32_t value = at[channels * block];
            largest = value > largest ? value : largest;
        }
        at[channels * (int)slot] = to[channel];
        to[channel] = (int8_t)clamp(largest, low, high);
    }
}
