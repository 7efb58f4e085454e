/* 0 for 0, floor(log2(x)) + 1 otherwise. */
static int fixed_bit_length(uint64_t x)
{
    int bits = 0;
    int step;
    for (step = 32; step > 0; step /= 2) {
        if (x >> step != 0) {
            x >>= step;
            bits += step;
        }
    }
    return bits + (x != 0 ? 1 : 0);
}
