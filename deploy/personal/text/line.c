/* A falling or rising table of 64 steps, linear between them; bits of `between`: 18 or 24. */
static uint32_t fixed_line(const uint32_t *table, uint32_t step, uint32_t between, int bits)
{
    const int64_t left = table[step];
    const int64_t fall = left - (int64_t)table[step + 1];
    return (uint32_t)(left - fixed_shift_right(fall * (int64_t)between, bits));
}
