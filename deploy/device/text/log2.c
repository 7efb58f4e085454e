/* log2(x) of x >= 1 in units of 2^-16. */
static int32_t fixed_log2(uint32_t x)
{
    const int whole = fixed_bit_length(x) - 1;
    const int32_t f = (int32_t)((x << (31 - whole)) >> 15 & 0xffffu);
    const int32_t bow = (f * (65536 - f)) >> 16;
    int32_t value = ((FIXED_LOG2_3 * f) >> 16) + FIXED_LOG2_2;
    value = (value * f >> 16) + FIXED_LOG2_1;
    value = (value * f >> 16) + FIXED_LOG2_0;
    return whole * 65536 + f + (bow * value >> 16);
}
