/* ---- streaming: a block of 2 s normalised by the last four, from sums --------------------------- */

#define FRONT_PAIRS (PPG_PPG_CHANNELS * (PPG_PPG_CHANNELS + 1) / 2)

void ppg_gain_reset(ppg_gain_t *gain)
{
    gain->blocks = 0;
}

/* Sums of a new block in the place of the oldest one's. */
static ppg_sums_t *front_add_block(ppg_gain_t *gain, const int16_t *window)
{
    ppg_sums_t *own = &gain->block[gain->blocks % 4u];
    int one;
    int other;
    int pair = 0;
    int32_t t;
    gain->blocks++;
    for (one = 0; one < PPG_PPG_CHANNELS; one++) {
        own->shift[one] = window[FRONT_PPG_EXPONENT + one];
        own->level[one] = 0;
        for (t = 0; t < PPG_STEPS; t++) {
            own->level[one] += window[t * PPG_WINDOW_CHANNELS + one];
        }
        for (other = 0; other <= one; other++) {
            int64_t sum = 0;
            for (t = 0; t < PPG_STEPS; t++) {
                const int16_t *x = &window[t * PPG_WINDOW_CHANNELS];
                sum += x[one] * x[other];
            }
            own->pairs[pair++] = sum;
        }
    }
#if FRONT_ACC
    own->acc_shift = window[FRONT_ACC_EXPONENT];
    if (own->acc_shift > FRONT_ACC_SHIFT_LIMIT || own->acc_shift < 0) {
        own->acc_shift = own->acc_shift < 0 ? 0 : FRONT_ACC_SHIFT_LIMIT;
    }
    own->acc_pairs = 0;
    for (one = 0; one < 3; one++) {
        own->acc_level[one] = 0;
        for (t = 0; t < PPG_STEPS; t++) {
            const int32_t x = window[t * PPG_WINDOW_CHANNELS + PPG_PPG_CHANNELS + one];
            own->acc_level[one] += x;
            own->acc_pairs += x * x;
        }
    }
#endif
    own->invalid = window[PPG_WINDOW_WORDS - 1];
    return own;
}

static int front_blocks(const ppg_gain_t *gain)
{
    return gain->blocks < 4u ? (int)gain->blocks : 4;
}

uint16_t ppg_invalid_steps(const ppg_gain_t *gain)
{
    int32_t invalid = 0;
    int block;
    for (block = 0; block < front_blocks(gain); block++) {
        invalid += gain->block[block].invalid;
    }
    return (uint16_t)invalid;
}

/* What a window of four such blocks would sum up to. */
static int64_t front_as_window(int64_t sum, int blocks)
{
    return blocks == 3 ? fixed_floor_divide(4 * sum, 3) : sum * (4 / blocks);
}

static int64_t front_lower(int64_t sum, int shift, int most)
{
    return shift == 0 ? sum : fixed_shift_right(sum, shift < most ? shift : most);
}

/* PPG_WINDOW_STEPS x less the level, x in units of the largest exponent. */
static int32_t front_centred(int32_t x, int down, int32_t level)
{
    down = down < 16 ? down : 16;
    x = (int32_t)front_lower(x + (((int32_t)1 << down) >> 1), down, 16);
    return PPG_WINDOW_STEPS * x - level;
}

/* 1 / sqrt(squares) = mantissa * 2^(half - 56); 0 < squares < 2^62. */
static uint32_t front_inverse_root(uint64_t squares, int *half)
{
    const int up = (int)((unsigned)(62 - fixed_bit_length(squares)) & ~1u);
    *half = up / 2;
    return (uint32_t)(((uint64_t)1 << 56) / fixed_square_root(squares << up));
}

/* PPG_WINDOW_STEPS times the sums of products of two channels, less the product of their levels. */
static int64_t front_together(const ppg_gain_t *gain, const int16_t *largest, const int32_t *level,
                              int one, int other)
{
    const int blocks = front_blocks(gain);
    const int pair = one * (one + 1) / 2 + other;
    int64_t sum = 0;
    int block;
    for (block = 0; block < blocks; block++) {
        const ppg_sums_t *by = &gain->block[block];
        const int down = largest[one] - by->shift[one] + largest[other] - by->shift[other];
        sum += front_lower(by->pairs[pair], down, 62);
    }
    return PPG_WINDOW_STEPS * front_as_window(sum, blocks) - (int64_t)level[one] * level[other];
}
#if FRONT_MIXED

/* 2^24 times the correlation of two channels. */
static int64_t front_correlation(int64_t together, const uint32_t *mantissa, int half, int one,
                                 int other)
{
    const uint64_t size = together < 0 ? (uint64_t)-together : (uint64_t)together;
    const int s = fixed_bit_length(size) - 31;
    const int64_t a =
        s > 0 ? fixed_shift_right(together, s) : together * ((int64_t)1 << -s);
    const int64_t b = fixed_shift_right(a * (int64_t)mantissa[one], 31);
    int shift = 57 - s - half;
    shift = shift < 1 ? 1 : shift;
    return front_round_shift(b * (int64_t)mantissa[other], shift > 62 ? 62 : shift);
}
#endif

static void front_quantise_ppg(const ppg_gain_t *gain, const ppg_sums_t *own,
                               const int16_t *window, int8_t *input)
{
    const int blocks = front_blocks(gain);
    int16_t largest[PPG_PPG_CHANNELS];
    int32_t level[PPG_PPG_CHANNELS];
    uint32_t mantissa[PPG_PPG_CHANNELS]; /* 0: it carries nothing */
    int half[PPG_PPG_CHANNELS];
    int64_t factor = FRONT_INVERSE_SCALE;
    int shift = FRONT_BLOCK_SHIFT;
    int block;
    int lane;
    int32_t t;
#if FRONT_MIXED
    int64_t total = 0;
    int other;
#endif
    for (lane = 0; lane < PPG_PPG_CHANNELS; lane++) {
        int64_t sum = 0;
        int64_t squares;
        largest[lane] = 0;
        half[lane] = 0;
        for (block = 0; block < blocks; block++) {
            const int16_t one = gain->block[block].shift[lane];
            largest[lane] = one > largest[lane] ? one : largest[lane];
        }
        for (block = 0; block < blocks; block++) {
            const ppg_sums_t *by = &gain->block[block];
            sum += front_lower(by->level[lane], largest[lane] - by->shift[lane], 31);
        }
        level[lane] = (int32_t)front_as_window(sum, blocks);
        squares = front_together(gain, largest, level, lane, lane);
        mantissa[lane] = squares > 0 ? front_inverse_root((uint64_t)squares, &half[lane]) : 0;
#if FRONT_MIXED
        total += mantissa[lane] != 0 ? (int64_t)1 << 24 : 0;
        for (other = 0; other < lane && mantissa[lane] != 0; other++) {
            if (mantissa[other] != 0) {
                total += 2 * front_correlation(
                    front_together(gain, largest, level, lane, other), mantissa,
                    half[lane] + half[other], other, lane);
            }
        }
#endif
    }
#if FRONT_MIXED
    total = total > FRONT_LEAST_SQUARES ? total : FRONT_LEAST_SQUARES;
    factor = fixed_shift_right(front_inverse_root((uint64_t)total, &block) * factor, 31);
    shift = FRONT_MIXED_SHIFT - block;
#endif
    for (t = 0; t < PPG_STEPS; t++) {
        int64_t mixed = 0;
        for (lane = 0; lane < PPG_PPG_CHANNELS; lane++) {
            if (mantissa[lane] != 0) {
                const int32_t d = front_centred(window[t * PPG_WINDOW_CHANNELS + lane],
                                                largest[lane] - own->shift[lane], level[lane]);
                mixed += front_round_shift(d * (int64_t)mantissa[lane], 40 - half[lane]);
            }
        }
        input[t * PPG_CHANNELS] = front_output(front_round_shift(mixed * factor, shift));
    }
}
#if FRONT_ACC

static void front_quantise_acc(const ppg_gain_t *gain, const ppg_sums_t *own,
                               const int16_t *window, int8_t *input)
{
    const int blocks = front_blocks(gain);
    int32_t level[3];
    int64_t squares = 0;
    uint64_t floor;
    int64_t factor;
    uint32_t fraction;
    int up = 0;
    int block;
    int octave;
    int shift;
    int axis;
    int32_t t;
    for (block = 0; block < blocks; block++) {
        up = gain->block[block].acc_shift > up ? gain->block[block].acc_shift : up;
    }
    for (block = 0; block < blocks; block++) {
        const ppg_sums_t *by = &gain->block[block];
        squares += front_lower(by->acc_pairs, 2 * (up - by->acc_shift), 62);
    }
    squares = PPG_WINDOW_STEPS * front_as_window(squares, blocks);
    for (axis = 0; axis < 3; axis++) {
        int64_t sum = 0;
        for (block = 0; block < blocks; block++) {
            const ppg_sums_t *by = &gain->block[block];
            sum += front_lower(by->acc_level[axis], up - by->acc_shift, 31);
        }
        level[axis] = (int32_t)front_as_window(sum, blocks);
        squares -= (int64_t)level[axis] * level[axis];
    }
    squares = squares > 0 ? PPG_WINDOW_STEPS * squares : 0;
    floor = FRONT_ACC_FLOOR >> (2 * up);
    squares = (uint64_t)squares > floor ? squares : (int64_t)floor;
    octave = fixed_bit_length((uint64_t)squares) - 1;
    fraction = (uint32_t)(((uint64_t)squares << (61 - octave)) >> 31) & 0x3fffffffu;
    octave += 2 * up - FRONT_FIRST_OCTAVE;
    shift = front_octave_shift[octave] - up;
    factor = fixed_line(front_power, fraction >> 24, fraction & 0xffffffu, 24);
    factor = fixed_shift_right(factor * front_octave_factor[octave], 31);
    for (t = 0; t < PPG_STEPS; t++) {
        for (axis = 0; axis < 3; axis++) {
            const int32_t x = window[t * PPG_WINDOW_CHANNELS + PPG_PPG_CHANNELS + axis];
            const int64_t d = front_centred(x, up - own->acc_shift, level[axis]);
            input[t * PPG_CHANNELS + 1 + axis] =
                front_output(front_round_shift(d * factor, shift));
        }
    }
}
#endif

void ppg_quantise(ppg_gain_t *gain, const int16_t *window, int8_t *input)
{
    const ppg_sums_t *own = front_add_block(gain, window);
    front_quantise_ppg(gain, own, window, input);
#if FRONT_ACC
    front_quantise_acc(gain, own, window, input);
#endif
}
