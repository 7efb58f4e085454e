/* ---- copies that share their code: of outputs, and of what a stream keeps ---------------------- */

PPG_STEP void keep_bytes(int8_t *to, const int8_t *from, int bytes)
{
    int left;
    for (left = bytes / 16; left != 0; left--) {
        PPG_OPAQUE(left);
        PPG_COPY(to, from, 16);
        to += 16;
        from += 16;
    }
    for (left = bytes % 16; left != 0; left--) {
        PPG_OPAQUE(left);
        *to++ = *from++;
    }
}
