/* ---- one row of one channel under three taps: classes between those of a spaced head ------------ */

/* `table` holds of each output two taps as halves, the third tap, bias and factor. Nothing stands
 * before the first position and behind the last. */
PPG_INLINE void row_conv(const int8_t *from, int8_t *to, const uint32_t *table, int positions,
                         int outputs, int32_t base, ending end)
{
    uint32_t before = 0;
    uint32_t here = (uint32_t)(from[0] - base);
    for (int at = 1; at <= positions; at++) {
        const int32_t next = at < positions ? from[at] - base : 0;
        const uint32_t pair = (before & 0xffffu) | (here << 16);
        const uint32_t *of = table;
        for (int left = outputs; left != 0; left--) {
            PPG_OPAQUE(of);
            const int32_t sum = dot2(pair, of[0], (int32_t)of[2]) + (int32_t)of[1] * next;
            *to++ = (int8_t)finish(sum, (int32_t)of[3], end);
            of += 4;
        }
        before = here;
        here = (uint32_t)next;
    }
}
