/* floor(x / 2^shift), 0 <= shift < 64: C99 leaves the shift of a negative value to the compiler. */
static int64_t fixed_shift_right(int64_t x, int shift)
{
    if (x < 0) {
        return -1 - (int64_t)((uint64_t)(-1 - x) >> shift);
    }
    return (int64_t)((uint64_t)x >> shift);
}
