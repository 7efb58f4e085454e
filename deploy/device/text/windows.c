/* Where in the ring the last due window starts; -1 if it is no longer there. */
static int32_t front_window_start(const ppg_clock_t *clock)
{
    const int32_t since = PPG_STRIDE_STEPS - clock->need; /* samples after the window's end */
    int32_t start = clock->at - since - PPG_STEPS;
    if (since > PPG_RING_STEPS - PPG_STEPS) {
        return -1;
    }
    while (start < 0) {
        start += PPG_RING_STEPS;
    }
    return start;
}

/* The exponent with which values of this size fit 15 bits, and a value with it. */
static int front_exponent(int64_t largest)
{
    const int up = fixed_bit_length((uint64_t)largest) - 15;
    return up > 0 ? up : 0;
}

static int16_t front_block(int64_t y, int up)
{
    const int64_t half = (int64_t)(((uint64_t)1 << up) >> 1);
    const int64_t value = fixed_shift_right(y + half, up);
    return (int16_t)(value > INT16_MAX ? INT16_MAX : value);
}

/* One PPG channel with a block exponent. */
static void front_take(const ppg_state_t *state, int lane, int32_t start, int16_t *window)
{
    int64_t low = INT64_MAX;
    int64_t high = -INT64_MAX;
    int32_t at = start;
    int32_t t;
    int up;
    for (t = 0; t < PPG_STEPS; t++) {
        const int64_t y = front_unpack(state->ppg_ring[at][lane]);
        low = y < low ? y : low;
        high = y > high ? y : high;
        at = at + 1 < PPG_RING_STEPS ? at + 1 : 0;
    }
    up = front_exponent(high > -low ? high : -low);
#if FRONT_STREAMING
    window[FRONT_PPG_EXPONENT + lane] = (int16_t)up;
#endif
    at = start;
    for (t = 0; t < PPG_STEPS; t++) {
        window[t * PPG_WINDOW_CHANNELS + lane] =
            high - low < FRONT_DEAD_SPAN
                ? (int16_t)0
                : front_block(front_unpack(state->ppg_ring[at][lane]), up);
        at = at + 1 < PPG_RING_STEPS ? at + 1 : 0;
    }
}
#if FRONT_ACC

/* The axes with one exponent, which goes behind the samples. */
static void front_take_acc(const ppg_state_t *state, int32_t start, int16_t *window)
{
    int32_t largest = 0;
    int32_t at = start;
    int32_t t;
    int axis;
    int up;
    for (t = 0; t < PPG_STEPS; t++) {
        for (axis = 0; axis < 3; axis++) {
            const int32_t a = state->acc_ring[at][axis];
            const int32_t size = a < 0 ? -a : a;
            largest = size > largest ? size : largest;
        }
        at = at + 1 < PPG_RING_STEPS ? at + 1 : 0;
    }
    up = front_exponent(largest);
    at = start;
    for (t = 0; t < PPG_STEPS; t++) {
        for (axis = 0; axis < 3; axis++) {
            window[t * PPG_WINDOW_CHANNELS + PPG_PPG_CHANNELS + axis] =
                front_block(state->acc_ring[at][axis], up);
        }
        at = at + 1 < PPG_RING_STEPS ? at + 1 : 0;
    }
    window[FRONT_ACC_EXPONENT] = (int16_t)up;
}
#endif

static int32_t front_marked(const uint32_t *marks, int32_t at)
{
    return (int32_t)(marks[at / 32] >> ((uint32_t)at & 31u) & 1u);
}

static int front_copy(const ppg_state_t *state, int16_t *window)
{
    int32_t start = front_window_start(&state->ppg_clock);
    int32_t invalid = 0;
    int32_t t;
    int lane;
#if FRONT_ACC
    int32_t acc_start = front_window_start(&state->acc_clock);
    if (acc_start < 0) {
        return PPG_ERROR_NO_WINDOW;
    }
#endif
    if (start < 0) {
        return PPG_ERROR_NO_WINDOW;
    }
    for (lane = 0; lane < PPG_PPG_CHANNELS; lane++) {
        front_take(state, lane, start, window);
    }
#if FRONT_ACC
    front_take_acc(state, acc_start, window);
#endif
    for (t = 0; t < PPG_STEPS; t++) {
        int32_t marked = front_marked(state->ppg_marks, start);
        start = start + 1 < PPG_RING_STEPS ? start + 1 : 0;
#if FRONT_ACC
        marked |= front_marked(state->acc_marks, acc_start);
        acc_start = acc_start + 1 < PPG_RING_STEPS ? acc_start + 1 : 0;
#endif
        invalid += marked;
    }
    window[PPG_WINDOW_WORDS - 1] = (int16_t)invalid;
    return PPG_OK;
}

int ppg_window(const ppg_state_t *state, int16_t *window)
{
    int tries;
    if (state->ready != FRONT_READY) {
        return PPG_ERROR_NO_WINDOW;
    }
    for (tries = 0; tries < FRONT_TRIES; tries++) {
        const uint32_t pushes = state->pushes;
        int status;
        if ((pushes & 1u) != 0u) {
            break;
        }
        FRONT_BARRIER();
        status = front_copy(state, window);
        FRONT_BARRIER();
        if (state->pushes == pushes) {
            return status;
        }
    }
    return PPG_ERROR_BUSY;
}

#if FRONT_WINDOW
/* 1 / sqrt(squares / PPG_STEPS) = mantissa * 2^(half - 56); 0 < squares < 2^62. */
static uint32_t front_inverse_deviation(uint64_t squares, int *half)
{
    const int up = (int)((unsigned)(62 - fixed_bit_length(squares)) & ~1u);
    *half = up / 2;
    return (uint32_t)(((uint64_t)1 << 56) / fixed_square_root((squares << up) / PPG_STEPS));
}

#endif
/* floor(x / 2^shift + 1/2), 1 <= shift <= 62. */
static int64_t front_round_shift(int64_t x, int shift)
{
    return fixed_shift_right(x + ((int64_t)1 << (shift - 1)), shift);
}

static int8_t front_output(int64_t value)
{
    value += FRONT_ZERO_POINT;
    value = value > FRONT_HIGH ? FRONT_HIGH : value;
    return (int8_t)(value < FRONT_LOW ? FRONT_LOW : value);
}
#if FRONT_WINDOW

/* PPG_STEPS times the mean of a channel, and the squares of what differs from it. */
static int32_t front_sum(const int16_t *window, int channel, uint64_t *squares)
{
    int32_t sum = 0;
    int32_t t;
    for (t = 0; t < PPG_STEPS; t++) {
        sum += window[t * PPG_WINDOW_CHANNELS + channel];
    }
    for (t = 0; t < PPG_STEPS; t++) {
        const int64_t d = PPG_STEPS * window[t * PPG_WINDOW_CHANNELS + channel] - sum;
        *squares += (uint64_t)(d * d);
    }
    return sum;
}

typedef struct {
    int32_t sum[PPG_PPG_CHANNELS];
    uint32_t mantissa[PPG_PPG_CHANNELS];
    int shift[PPG_PPG_CHANNELS];
} front_mix_t;

static int32_t front_mixed(const front_mix_t *by, const int16_t *sample)
{
    int64_t mixed = 0;
    int lane;
    for (lane = 0; lane < PPG_PPG_CHANNELS; lane++) {
        const int64_t d = PPG_STEPS * sample[lane] - by->sum[lane];
        mixed += front_round_shift(d * (int64_t)by->mantissa[lane], by->shift[lane]);
    }
    return (int32_t)mixed;
}

static void front_quantise_ppg(const int16_t *window, int8_t *input)
{
    front_mix_t by;
    uint64_t total = 0;
    int64_t factor;
    int half;
    int lane;
    int32_t t;
    for (lane = 0; lane < PPG_PPG_CHANNELS; lane++) {
        uint64_t squares = 0;
        by.sum[lane] = front_sum(window, lane, &squares);
        by.mantissa[lane] = front_inverse_deviation(squares > 0 ? squares : 1, &half);
        by.shift[lane] = FRONT_Z_SHIFT - half;
    }
    for (t = 0; t < PPG_STEPS; t++) {
        const int64_t mixed = front_mixed(&by, &window[t * PPG_WINDOW_CHANNELS]);
        total += (uint64_t)(mixed * mixed);
    }
    total = total > FRONT_MIXED_SQUARES ? total : FRONT_MIXED_SQUARES;
    factor = front_inverse_deviation(total, &half);
    factor = fixed_shift_right(factor * FRONT_INVERSE_SCALE, 31);
    for (t = 0; t < PPG_STEPS; t++) {
        const int64_t mixed = front_mixed(&by, &window[t * PPG_WINDOW_CHANNELS]);
        input[t * PPG_CHANNELS] =
            front_output(front_round_shift(mixed * factor, FRONT_OUTPUT_SHIFT - half));
    }
}
#if FRONT_ACC

static void front_quantise_acc(const int16_t *window, int8_t *input)
{
    int32_t sum[3];
    uint64_t squares = 0;
    uint64_t floor;
    int64_t factor;
    uint32_t fraction;
    int up = window[FRONT_ACC_EXPONENT];
    int octave;
    int shift;
    int axis;
    int32_t t;
    up = up > FRONT_ACC_SHIFT_LIMIT ? FRONT_ACC_SHIFT_LIMIT : up;
    up = up < 0 ? 0 : up;
    for (axis = 0; axis < 3; axis++) {
        sum[axis] = front_sum(window, PPG_PPG_CHANNELS + axis, &squares);
    }
    floor = FRONT_ACC_FLOOR >> (2 * up);
    squares = squares > floor ? squares : floor;
    octave = fixed_bit_length(squares) - 1;
    fraction = (uint32_t)((squares << (61 - octave)) >> 31) & 0x3fffffffu;
    octave += 2 * up - FRONT_FIRST_OCTAVE;
    shift = front_octave_shift[octave] - up;
    factor = fixed_line(front_power, fraction >> 24, fraction & 0xffffffu, 24);
    factor = fixed_shift_right(factor * front_octave_factor[octave], 31);
    for (t = 0; t < PPG_STEPS; t++) {
        for (axis = 0; axis < 3; axis++) {
            const int64_t d =
                PPG_STEPS * window[t * PPG_WINDOW_CHANNELS + PPG_PPG_CHANNELS + axis] - sum[axis];
            input[t * PPG_CHANNELS + 1 + axis] =
                front_output(front_round_shift(d * factor, shift));
        }
    }
}
#endif

void ppg_quantise(const int16_t *window, int8_t *input)
{
    front_quantise_ppg(window, input);
#if FRONT_ACC
    front_quantise_acc(window, input);
#endif
}
#endif
