/* ---- padding and the layout of pairs of rows --------------------------------------------------- */

/* Offset of a time step in a tensor whose pairs of rows of `fold` columns share words. */
PPG_INLINE int paired_offset(int step, int fold, int channels)
{
    const int row = step / fold;
    const int column = step % fold;
    return ((row / 2) * fold + column) * 2 * channels + (row % 2) * 2;
}

PPG_INLINE void copy_bytes(int8_t *to, const int8_t *from, int bytes)
{
    int at = 0;
    for (; at + 4 <= bytes; at += 4) {
        PPG_COPY(to + at, from + at, 4);
    }
    for (; at < bytes; at++) {
        to[at] = from[at];
    }
}

/* `bytes` of padding in front of a tensor that lies plain. */
PPG_INLINE void pad_plain(int8_t *to, int bytes, int8_t zero)
{
    const uint32_t byte = (uint8_t)zero;
    const uint32_t word = byte | (byte << 8) | (byte << 16) | (byte << 24);
    int at = 0;
    for (; at + 4 <= bytes; at += 4) {
        PPG_COPY(to + at, &word, sizeof word);
    }
    for (; at < bytes; at++) {
        to[at] = zero;
    }
}

/* `rows` rows of padding, `row_bytes` long each, in front of a tensor in pairs of rows. */
PPG_INLINE void pad_paired(int8_t *to, int rows, int row_bytes, int8_t zero)
{
    const int whole = rows / 2 * 2 * row_bytes;
    pad_plain(to, whole, zero);
    if (rows % 2 != 0) {
        const uint32_t byte = (uint8_t)zero;
        for (int at = 0; at < 2 * row_bytes; at += 4) {
            store16(to + whole + at, byte | (byte << 8));
        }
    }
}
