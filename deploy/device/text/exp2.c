/* 2^-x * 2^31, x in units of 2^-16. */
static uint32_t fixed_exp2(uint32_t x)
{
    const int32_t f = (int32_t)(x & 0xffffu);
    const int32_t bow = ((f * (65536 - f)) >> 16);
    const int32_t value = ((((FIXED_EXP2_2 * f) >> 16) + FIXED_EXP2_1) * f >> 16) + FIXED_EXP2_0;
    const uint32_t part = (uint32_t)(65536 - (f >> 1) - (bow * value >> 16));
    return x >> 21 != 0 ? 0 : (part << 15) >> (x >> 16);
}
