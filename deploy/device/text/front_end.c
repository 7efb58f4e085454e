/* ---- front end: filter, resample, window, normalise ----------------------------------------- */

typedef struct {
    int32_t gain;
    int32_t gain_shift;
    int32_t before[2]; /* x1, x2 of the first section */
    int32_t whole[4]; /* y1, y2 of the first section, then of the second */
    int32_t fine[4];
    int32_t shift[4];
    int32_t step; /* an output sample is step / grid input samples */
    int32_t grid;
} front_sensor_t;

FRONT_TABLES

/* x * factor / 2^shift rounded, at 2^-32 and then to whole numbers; 32 <= shift <= 62. */
static int64_t front_multiply_shift(int64_t x, int32_t factor, int shift)
{
    const int64_t high = fixed_shift_right(x, 32);
    const int64_t low = (int64_t)((uint64_t)x & 0xffffffffu);
    const int64_t carry = fixed_shift_right(low * factor + ((int64_t)1 << 31), 32);
    const int64_t half = (int64_t)(((uint64_t)1 << (shift - 32)) >> 1);
    return fixed_shift_right(high * factor + carry + half, shift - 32);
}

static int64_t front_feedback(int64_t y1, int64_t y2, const front_sensor_t *by, int at)
{
    return by->whole[at] * y1 + front_multiply_shift(y1, by->fine[at], by->shift[at]) +
           by->whole[at + 1] * y2 +
           front_multiply_shift(y2, by->fine[at + 1], by->shift[at + 1]);
}

/* The filtered value lands in w1, the one before it in w2; units of 2^-20 counts. */
static void front_filter(ppg_lane_t *lane, const front_sensor_t *by, int32_t sample)
{
    const int64_t sum = ((int64_t)sample - lane->first) +
                        by->before[0] * ((int64_t)lane->x1 - lane->first) +
                        by->before[1] * ((int64_t)lane->x2 - lane->first);
    const int64_t drive = front_multiply_shift(
        sum * ((int64_t)1 << FRONT_PRE_SHIFT), by->gain, by->gain_shift);
    const int64_t v = drive + front_feedback(lane->v1, lane->v2, by, 0);
    const int64_t w =
        v - 2 * lane->v1 + lane->v2 + front_feedback(lane->w1, lane->w2, by, 2);
    lane->x2 = lane->x1;
    lane->x1 = sample;
    lane->v2 = lane->v1;
    lane->v1 = v;
    lane->w2 = lane->w1;
    lane->w1 = w;
}

/* Steady state of a first sample. */
static void front_start(ppg_lane_t *lane, int32_t sample)
{
    lane->v1 = 0;
    lane->v2 = 0;
    lane->w1 = 0;
    lane->w2 = 0;
#if FRONT_TWO_STAGES
    lane->stream = 0;
#endif
    lane->first = sample;
    lane->x1 = sample;
    lane->x2 = sample;
}

/* The value part / grid of the way from `before` to `after`; 0 < part <= grid. */
static int64_t front_between(int64_t before, int64_t after, int32_t part, int32_t grid)
{
    if (part == grid) {
        return after;
    }
    return before + front_multiply_shift(2 * (after - before),
                                         (int32_t)(((int64_t)part << 31) / grid), 32);
}

static int32_t front_pack(int64_t y)
{
    const uint64_t size = y < 0 ? (uint64_t)(-1 - y) + 1u : (uint64_t)y;
    const int bits = fixed_bit_length(size);
    const int exponent = bits > FRONT_MANTISSA_BITS ? bits - FRONT_MANTISSA_BITS : 0;
    return (int32_t)(fixed_shift_right(y, exponent) * 32 + exponent);
}

static int64_t front_unpack(int32_t word)
{
    const int64_t mantissa = fixed_shift_right(word, 5);
    return mantissa * ((int64_t)1 << ((uint32_t)word & 31u));
}

static void front_next(ppg_clock_t *clock)
{
    clock->at = clock->at + 1 < PPG_RING_STEPS ? clock->at + 1 : 0;
    if (clock->need > -FRONT_NEED_LIMIT) {
        clock->need--;
    }
}

static void front_clear(ppg_clock_t *clock)
{
    clock->due = 0;
#if FRONT_TWO_STAGES
    clock->stream_due = 0;
#endif
    clock->need = PPG_STEPS;
    clock->at = 0;
    clock->started = 0;
}

void ppg_reset(ppg_state_t *state)
{
    front_clear(&state->ppg_clock);
#if FRONT_ACC
    front_clear(&state->acc_clock);
#endif
    state->ready = 0;
}

/* Whether a window is due, or the sensors have lost each other. */
static int front_due(ppg_state_t *state)
{
    int32_t *const need = &state->ppg_clock.need;
#if FRONT_ACC
    int32_t *const other = &state->acc_clock.need;
    const int32_t apart = *need - *other;
    if (apart > PPG_SLACK_STEPS || apart < -PPG_SLACK_STEPS) {
        state->ready = 0;
        return PPG_ERROR_OUT_OF_STEP;
    }
    if (*other > 0) {
        return 0;
    }
#endif
    if (*need > 0) {
        return 0;
    }
    *need += PPG_STRIDE_STEPS;
#if FRONT_ACC
    *other += PPG_STRIDE_STEPS;
#endif
    state->ready = 1;
    return 1;
}

/* One output sample of a sensor, at the rate of the network. */
static void front_store(ppg_state_t *state, int acceleration, const int64_t *y)
{
    int lane;
#if FRONT_ACC
    if (acceleration) {
        const int64_t one_g = (int64_t)PPG_ACC_COUNTS_PER_G << FRONT_FRACTION_BITS;
        for (lane = 0; lane < 3; lane++) {
            const int64_t scaled = y[lane] * ((int64_t)1 << FRONT_ACC_G_BITS);
            int64_t value = fixed_floor_divide(scaled + one_g / 2, one_g);
            value = value > INT32_MAX ? INT32_MAX : value;
            value = value < -INT32_MAX ? -INT32_MAX : value;
            state->acc_ring[state->acc_clock.at][lane] = (int32_t)value;
        }
        front_next(&state->acc_clock);
        return;
    }
#else
    (void)acceleration;
#endif
    for (lane = 0; lane < PPG_PPG_CHANNELS; lane++) {
        state->ppg_ring[state->ppg_clock.at][lane] = front_pack(y[lane]);
    }
    front_next(&state->ppg_clock);
}

/* Output samples between two filtered ones. `due` is where the next one stands after the later,
 * in units of 1 / grid samples; nothing here grows, so the clock never drifts or overflows. */
static void front_push(
    ppg_state_t *state, int acceleration, ppg_lane_t *lanes, ppg_clock_t *clock,
    const int32_t *sample)
{
    const front_sensor_t *const by = &front_sensors[acceleration];
    const int count = acceleration ? 3 : PPG_PPG_CHANNELS;
    int64_t y[3];
    int lane;
    if (!clock->started) {
        clock->started = 1;
        for (lane = 0; lane < count; lane++) {
            front_start(&lanes[lane], sample[lane]);
        }
    } else {
        clock->due -= by->grid;
        for (lane = 0; lane < count; lane++) {
            front_filter(&lanes[lane], by, sample[lane]);
        }
    }
    while (clock->due <= 0) {
        const int32_t part = clock->due + by->grid;
#if FRONT_TWO_STAGES
        int64_t before[3];
        int64_t after[3];
        for (lane = 0; lane < count; lane++) {
            before[lane] = lanes[lane].stream;
            after[lane] = front_between(lanes[lane].w2, lanes[lane].w1, part, by->grid);
            lanes[lane].stream = after[lane];
        }
        while (clock->stream_due <= 0) {
            const int32_t stream_part = clock->stream_due + FRONT_STREAM_GRID;
            for (lane = 0; lane < count; lane++) {
                y[lane] = front_between(before[lane], after[lane], stream_part,
                                        FRONT_STREAM_GRID);
            }
            front_store(state, acceleration, y);
            clock->stream_due += FRONT_STREAM_STEP;
        }
        clock->stream_due -= FRONT_STREAM_GRID;
#else
        for (lane = 0; lane < count; lane++) {
            y[lane] = front_between(lanes[lane].w2, lanes[lane].w1, part, by->grid);
        }
        front_store(state, acceleration, y);
#endif
        clock->due += by->step;
    }
}

int ppg_push_ppg(ppg_state_t *state, const int32_t *sample)
{
    front_push(state, 0, state->ppg_lane, &state->ppg_clock, sample);
    return front_due(state);
}
#if FRONT_ACC

int ppg_push_acc(ppg_state_t *state, const int16_t *sample)
{
    const int32_t wide[3] = {sample[0], sample[1], sample[2]};
    front_push(state, 1, state->acc_lane, &state->acc_clock, wide);
    return front_due(state);
}
#endif

/* Where in the ring the last due window starts; -1 if it is no longer there. */
static int32_t front_window_start(const ppg_clock_t *clock)
{
    const int32_t since = PPG_STRIDE_STEPS - clock->need; /* samples after the window's end */
    int32_t start = clock->at - since - PPG_STEPS;
    if (since > PPG_SLACK_STEPS) {
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
    window[PPG_WINDOW_WORDS - 1] = (int16_t)up;
}
#endif

int ppg_window(const ppg_state_t *state, int16_t *window)
{
    const int32_t start = front_window_start(&state->ppg_clock);
    int lane;
#if FRONT_ACC
    const int32_t acc_start = front_window_start(&state->acc_clock);
    if (acc_start < 0) {
        return PPG_ERROR_NO_WINDOW;
    }
#endif
    if (!state->ready || start < 0) {
        return PPG_ERROR_NO_WINDOW;
    }
    for (lane = 0; lane < PPG_PPG_CHANNELS; lane++) {
        front_take(state, lane, start, window);
    }
#if FRONT_ACC
    front_take_acc(state, acc_start, window);
#endif
    return PPG_OK;
}

/* 1 / sqrt(squares / PPG_STEPS) = mantissa * 2^(half - 56); 0 < squares < 2^62. */
static uint32_t front_inverse_deviation(uint64_t squares, int *half)
{
    const int up = (int)((unsigned)(62 - fixed_bit_length(squares)) & ~1u);
    *half = up / 2;
    return (uint32_t)(((uint64_t)1 << 56) / fixed_square_root((squares << up) / PPG_STEPS));
}

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
    int up = window[PPG_WINDOW_WORDS - 1];
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
