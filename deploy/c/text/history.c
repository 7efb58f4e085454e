/* ---- streaming: what a layer reads of the blocks before ---------------------------------------- */

/* History in front of a tensor that lies plain; its last `bytes` become the history. */
PPG_INLINE void keep_plain(int8_t *x, int8_t *history, int bytes, int further)
{
    keep_bytes(x, history, bytes);
    keep_bytes(history, x + further, bytes);
}

/* Halfwords `to_step` and `from_step` bytes apart: a row of history, and of a tensor in pairs of
 * rows, where every other halfword is the other row's. */
PPG_STEP void keep_row(int8_t *to, int to_step, const int8_t *from, int from_step, int row_bytes)
{
    for (int left = row_bytes / 2; left != 0; left--) {
        PPG_OPAQUE(left);
        PPG_COPY(to, from, 2);
        to += to_step;
        from += from_step;
    }
}

/* The same for `rows` rows in front of a tensor in pairs of rows, `further` of which are new. While
 * those are even, pairs stay pairs and move as they lie. */
PPG_INLINE void keep_paired(int8_t *x, int8_t *history, int rows, int row_bytes, int further)
{
    const int moved = further % 2 != 0 ? 0 : rows / 2 * 2;
    keep_bytes(x, history, moved * row_bytes);
    for (int row = moved; row < rows; row++) {
        keep_row(x + row / 2 * 2 * row_bytes + row % 2 * 2, 4, history + row * row_bytes, 2,
                 row_bytes);
    }
    keep_bytes(history, x + further / 2 * 2 * row_bytes, moved * row_bytes);
    for (int row = moved; row < rows; row++) {
        const int from = row + further;
        keep_row(history + row * row_bytes, 2, x + from / 2 * 2 * row_bytes + from % 2 * 2, 4,
                 row_bytes);
    }
}
