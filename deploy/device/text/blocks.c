/* ---- streaming: a block of 2 s normalised by the last 8 s, from sums ---------------------------- */

void ppg_gain_reset(ppg_gain_t *gain)
{
    gain->blocks = FRONT_NO_BLOCKS;
}

/* Blocks that there are, of the last window's. */
static int front_held(const ppg_gain_t *gain)
{
    const uint32_t blocks = gain->blocks - FRONT_NO_BLOCKS;
    return blocks < (uint32_t)PPG_BLOCKS ? (int)blocks : PPG_BLOCKS;
}

/* The newest block, or one before it. */
static PPG_APART const ppg_sums_t *front_past(const ppg_gain_t *gain, int before)
{
    const uint32_t blocks = gain->blocks - FRONT_NO_BLOCKS;
    return &gain->block[(blocks - 1u - (uint32_t)before) % (uint32_t)PPG_BLOCKS];
}

/* How many of the newest are normalised together: those since a reset, and since a broken one. */
static int front_blocks(const ppg_gain_t *gain)
{
    const int held = front_held(gain);
    int blocks = 1;
    while (blocks < held && front_past(gain, 0)->invalid >= 0 &&
           front_past(gain, blocks)->invalid >= 0) {
        blocks++;
    }
    return blocks;
}

/* Sums of a new block in the place of the oldest one's. */
static PPG_SMALL void front_add_block(ppg_gain_t *gain, const int16_t *window)
{
    ppg_sums_t *own;
    int pair = 0;
    int one;
    int other;
    int32_t t;
    if (gain->blocks - FRONT_NO_BLOCKS >= 2u * PPG_BLOCKS) {
        ppg_gain_reset(gain); /* it never was */
    }
    own = &gain->block[(gain->blocks - FRONT_NO_BLOCKS) % (uint32_t)PPG_BLOCKS];
    gain->blocks++;
    if (gain->blocks == FRONT_NO_BLOCKS + 2u * PPG_BLOCKS) {
        gain->blocks -= PPG_BLOCKS;
    }
    for (one = 0; one < PPG_PPG_CHANNELS; one++) {
        own->shift[one] = (int16_t)front_exponent(window + one);
        own->level[one] = 0;
        for (t = 0; t < PPG_STEPS; t++) {
            own->level[one] += front_value(window[t * PPG_WINDOW_CHANNELS + one], own->shift[one]);
        }
        for (other = 0; other <= one; other++) {
            int64_t sum = 0;
            for (t = 0; t < PPG_STEPS; t++) {
                const int16_t *const x = &window[t * PPG_WINDOW_CHANNELS];
                sum += front_value(x[one], own->shift[one]) *
                       front_value(x[other], own->shift[other]);
            }
            own->pairs[pair++] = sum;
        }
    }
#if FRONT_ACC
    own->acc_shift = 0;
    for (one = 0; one < 3; one++) {
        const int16_t exponent = (int16_t)front_exponent(window + PPG_PPG_CHANNELS + one);
        own->acc_shift = exponent > own->acc_shift ? exponent : own->acc_shift;
    }
    own->acc_pairs = 0;
    for (one = 0; one < 3; one++) {
        own->acc_level[one] = 0;
        for (t = 0; t < PPG_STEPS; t++) {
            const int32_t x = front_value(
                window[t * PPG_WINDOW_CHANNELS + PPG_PPG_CHANNELS + one], own->acc_shift);
            own->acc_level[one] += x;
            own->acc_pairs += x * x;
        }
    }
#endif
    own->invalid = window[PPG_WINDOW_WORDS - 1];
    if (own->invalid >= FRONT_BROKEN_STEPS ||
        (own->invalid > 0 && front_held(gain) > 1 && front_past(gain, 1)->invalid < 0)) {
        own->invalid = (int16_t)-own->invalid;
    }
}

uint16_t ppg_invalid_steps(const ppg_gain_t *gain)
{
    int32_t invalid = 0;
    int block;
    for (block = 0; block < front_held(gain); block++) {
        const int32_t own = front_past(gain, block)->invalid;
        invalid += own < 0 ? -own : own;
    }
    return (uint16_t)invalid;
}

/* What a window of such blocks would sum up to: a floor, divided digit by digit of 16 bits. */
static PPG_SMALL int64_t front_as_window(int64_t sum, int blocks)
{
    int32_t high;
    int32_t first;
    uint32_t low;
    uint32_t rest;
    uint32_t second;
    if (blocks == PPG_BLOCKS) {
        return sum;
    }
    sum *= PPG_BLOCKS;
    high = (int32_t)(sum >> 32);
    low = (uint32_t)sum;
    first = high / blocks - (high % blocks < 0);
    rest = (uint32_t)(high - blocks * first) << 16 | low >> 16;
    second = rest / (uint32_t)blocks;
    rest = rest % (uint32_t)blocks << 16 | (low & 0xffffu);
    return first * INT64_C(0x100000000) + (int64_t)second * 0x10000 + rest / (uint32_t)blocks;
}

/* Of a lane of the newest block; PPG_WINDOW_STEPS values less the level. */
static int32_t front_centred(int32_t word, int32_t exponent, int32_t level)
{
    return PPG_WINDOW_STEPS * front_value(word, exponent) - level;
}

/* PPG_WINDOW_STEPS times the sums of products of two channels, less the product of their levels. */
static PPG_SMALL int64_t front_together(const ppg_gain_t *gain, int blocks, const int16_t *largest,
                                        const int32_t *level, int one, int other)
{
    const int pair = one * (one + 1) / 2 + other;
    int64_t sum = 0;
    int block;
    for (block = 0; block < blocks; block++) {
        const ppg_sums_t *const by = front_past(gain, block);
        sum += by->pairs[pair] >>
               (largest[one] - by->shift[one] + largest[other] - by->shift[other]);
    }
    return PPG_WINDOW_STEPS * front_as_window(sum, blocks) - (int64_t)level[one] * level[other];
}
#if FRONT_SEVERAL

/* 2^20 times the correlation of two channels. */
static PPG_SMALL int32_t front_correlation(int64_t together, int32_t factor, int32_t other)
{
    const uint64_t size = together < 0 ? (uint64_t)-together : (uint64_t)together;
    const int bits = fixed_wide_bit_length(size) - 31;
    const int s = bits > 0 ? bits : 0;
    const int64_t first = (int64_t)(int32_t)(together >> s) * factor;
    const int64_t found = ((first >> 32) * other) >> (32 - s);
    if (found > FRONT_ALIVE) {
        return FRONT_ALIVE;
    }
    return (int32_t)(found < -FRONT_ALIVE ? -FRONT_ALIVE : found);
}
#endif

static PPG_SMALL void front_quantise_ppg(const ppg_gain_t *gain, const int16_t *window, int8_t *input)
{
    const int blocks = front_blocks(gain);
    int16_t largest[PPG_PPG_CHANNELS];
    int32_t level[PPG_PPG_CHANNELS];
    int32_t factor[PPG_PPG_CHANNELS]; /* 0: it carries nothing */
    int block;
    int lane;
    int32_t t;
#if FRONT_SEVERAL
    int32_t together = 0;
    int other;
#endif
    for (lane = 0; lane < PPG_PPG_CHANNELS; lane++) {
        int64_t sum = 0;
        int64_t squares;
        largest[lane] = 0;
        for (block = 0; block < blocks; block++) {
            const int16_t one = front_past(gain, block)->shift[lane];
            largest[lane] = one > largest[lane] ? one : largest[lane];
        }
        for (block = 0; block < blocks; block++) {
            const ppg_sums_t *const by = front_past(gain, block);
            sum += by->level[lane] >> (largest[lane] - by->shift[lane]);
        }
        level[lane] = (int32_t)front_as_window(sum, blocks);
        squares = front_together(gain, blocks, largest, level, lane, lane);
        squares = squares > 0 ? squares : 0;
        factor[lane] = 0;
        if (largest[lane] > 0 || (uint64_t)squares >= FRONT_DEAD_SQUARES) {
            factor[lane] = front_inverse_root((uint64_t)(squares > 0 ? squares : 1),
                                              FRONT_LANE_FACTOR, FRONT_LANE_SHIFT);
        }
#if FRONT_SEVERAL
        together += factor[lane] != 0 ? FRONT_ALIVE : 0;
        for (other = 0; other < lane; other++) {
            together +=
                2 * front_correlation(front_together(gain, blocks, largest, level, lane, other),
                                      factor[other], factor[lane]);
        }
#endif
    }
#if FRONT_SEVERAL
    together = front_inverse_root((uint64_t)(together > 1 ? together : 1), FRONT_FACTOR,
                                  FRONT_FACTOR_SHIFT);
#endif
    for (t = 0; t < PPG_STEPS; t++) {
        int32_t mixed = 0;
        for (lane = 0; lane < PPG_PPG_CHANNELS; lane++) {
            const int32_t word = window[t * PPG_WINDOW_CHANNELS + lane];
            mixed += front_scaled(front_centred(word, largest[lane], level[lane]), factor[lane]);
        }
#if FRONT_SEVERAL
        mixed = front_scaled(mixed, together);
#endif
        input[t * PPG_CHANNELS] = front_output(mixed);
    }
}
#if FRONT_ACC

static PPG_SMALL void front_quantise_acc(const ppg_gain_t *gain, const int16_t *window, int8_t *input)
{
    const int blocks = front_blocks(gain);
    int32_t level[3];
    int64_t squares = 0;
    int32_t factor;
    int16_t largest = 0;
    int block;
    int axis;
    int32_t t;
    for (block = 0; block < blocks; block++) {
        const int16_t own = front_past(gain, block)->acc_shift;
        largest = own > largest ? own : largest;
    }
    for (block = 0; block < blocks; block++) {
        const ppg_sums_t *const by = front_past(gain, block);
        squares += by->acc_pairs >> (2 * (largest - by->acc_shift));
    }
    squares = PPG_WINDOW_STEPS * front_as_window(squares, blocks);
    for (axis = 0; axis < 3; axis++) {
        int64_t sum = 0;
        for (block = 0; block < blocks; block++) {
            const ppg_sums_t *const by = front_past(gain, block);
            sum += by->acc_level[axis] >> (largest - by->acc_shift);
        }
        level[axis] = (int32_t)front_as_window(sum, blocks);
        squares -= (int64_t)level[axis] * level[axis];
    }
    factor = front_acc_factor(largest, (uint64_t)(squares > 0 ? squares : 0));
    for (axis = 0; axis < 3; axis++) {
        for (t = 0; t < PPG_STEPS; t++) {
            const int32_t word = window[t * PPG_WINDOW_CHANNELS + PPG_PPG_CHANNELS + axis];
            input[t * PPG_CHANNELS + 1 + axis] =
                front_output(front_scaled(front_centred(word, largest, level[axis]), factor));
        }
    }
}
#endif

PPG_SMALL void ppg_quantise(ppg_gain_t *gain, const int16_t *window, int8_t *input)
{
    front_add_block(gain, window);
    front_quantise_ppg(gain, window, input);
#if FRONT_ACC
    front_quantise_acc(gain, window, input);
#endif
}
