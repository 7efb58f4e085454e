/* floor(sqrt(x)), x < 2^62. */
static uint32_t fixed_square_root(uint64_t x)
{
    uint64_t root = 0;
    uint64_t bit = (uint64_t)1 << 60;
    while (bit != 0) {
        if (x >= root + bit) {
            x -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
        bit >>= 2;
    }
    return (uint32_t)root;
}
