/* floor(sqrt(x)). */
static uint32_t fixed_square_root(uint32_t x)
{
    uint32_t root = 0;
    uint32_t bit = (uint32_t)1 << 30;
    PPG_ROLLED while (bit != 0) {
        if (x >= root + bit) {
            x -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
        bit >>= 2;
    }
    return root;
}
