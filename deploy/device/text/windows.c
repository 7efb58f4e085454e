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

/* Copies words of `count` lanes from a ring to every PPG_WINDOW_CHANNELS of a window. */
static void front_take(const int16_t *ring, int count, int32_t start, int16_t *window)
{
    const int16_t *from = ring + start * count;
    const int16_t *const end = ring + PPG_RING_STEPS * count;
    int32_t t;
    int lane;
    PPG_ROLLED for (t = 0; t < PPG_STEPS; t++) {
        for (lane = 0; lane < count; lane++) {
            window[lane] = from[lane];
        }
        window += PPG_WINDOW_CHANNELS;
        from += count;
        from = from == end ? ring : from;
    }
}

/* Whether any step in a ring is invalid: mostly none is. */
static int front_any_marked(const ppg_state_t *state)
{
    uint32_t any = 0;
    int word;
    PPG_ROLLED for (word = 0; word < (PPG_RING_STEPS + 31) / 32; word++) {
        any |= state->ppg_marks[word];
#if FRONT_ACC
        any |= state->acc_marks[word];
#endif
    }
    return any != 0;
}

static int32_t front_marked(const uint32_t *marks, int32_t at)
{
    return (int32_t)(marks[at / 32] >> ((uint32_t)at & 31u) & 1u);
}

static int front_copy(const ppg_state_t *state, int16_t *window)
{
    int32_t start = front_window_start(&state->ppg_clock);
    int32_t invalid = 0;
    int32_t t;
#if FRONT_ACC
    int32_t acc_start = front_window_start(&state->acc_clock);
    if (acc_start < 0) {
        return PPG_ERROR_NO_WINDOW;
    }
#endif
    if (start < 0) {
        return PPG_ERROR_NO_WINDOW;
    }
    front_take(state->ppg_ring[0], PPG_PPG_CHANNELS, start, window);
#if FRONT_ACC
    front_take(state->acc_ring[0], 3, acc_start, window + PPG_PPG_CHANNELS);
#endif
    PPG_ROLLED for (t = 0; t < PPG_STEPS && front_any_marked(state); t++) {
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

/* mantissa 2^-shift / sqrt(x) * 2^32, at most 2^31 - 1. */
static PPG_SMALL int32_t front_inverse_root(uint64_t x, uint32_t mantissa, int shift)
{
    const int right = (int)((uint32_t)(fixed_wide_bit_length(x) - 31) & ~1u);
    const uint32_t n = (uint32_t)(right > 0 ? x >> right : x << -right);
    const uint64_t product = (uint64_t)(UINT32_MAX / fixed_square_root(n)) * mantissa;
    const uint64_t factor = product >> (shift + right / 2);
    return (int32_t)(factor < INT32_MAX ? factor : INT32_MAX);
}

static int32_t front_scaled(int32_t x, int32_t factor)
{
    return (int32_t)(((int64_t)x * factor + INT64_C(0x80000000)) >> 32);
}

static int8_t front_output(int32_t value)
{
    value += FRONT_ZERO_POINT;
    value = value > FRONT_HIGH ? FRONT_HIGH : value;
    return (int8_t)(value < FRONT_LOW ? FRONT_LOW : value);
}

/* A word in units of 2^-5 of the largest exponent. */
static int32_t front_value(int32_t word, int32_t largest)
{
    const int32_t exponent = word & 31;
    return (word - exponent) >> (largest - exponent);
}

static int32_t front_exponent(const int16_t *words)
{
    int32_t largest = 0;
    int32_t t;
    PPG_ROLLED for (t = 0; t < PPG_STEPS; t++) {
        const int32_t exponent = words[t * PPG_WINDOW_CHANNELS] & 31;
        largest = exponent > largest ? exponent : largest;
    }
    return largest;
}

#if FRONT_ACC

/* log2 in units of 2^-16. */
static int32_t front_log2(uint64_t x)
{
    const int right = fixed_bit_length((uint32_t)(x >> 32));
    return right * 65536 + fixed_log2((uint32_t)(x >> right));
}

/* Of centred acceleration with this exponent and these squares. */
static PPG_SMALL int32_t front_acc_factor(int32_t exponent, uint64_t squares)
{
    const int32_t unit = exponent * 65536 - fixed_log2(PPG_ACC_COUNTS_PER_G);
    int32_t strength = front_log2(squares > 0 ? squares : 1) + 2 * unit;
    int32_t gain;
    strength = strength > FRONT_ACC_FLOOR ? strength : FRONT_ACC_FLOOR;
    gain = FRONT_ACC_GAIN + unit - (int32_t)((int64_t)strength * FRONT_HALF_POWER >> 16);
    gain = gain > FRONT_FACTOR_LIMIT ? FRONT_FACTOR_LIMIT : gain;
    gain = gain > 0 ? gain : 0;
    return (int32_t)fixed_exp2((uint32_t)(FRONT_FACTOR_LIMIT + 65536 - gain));
}
#endif
#if FRONT_WINDOW

/* Lanes of a window with one exponent. */
typedef struct {
    const int16_t *words;
    int32_t exponent;
    int32_t sum;
    uint64_t squares; /* PPG_STEPS^2 times the variance */
} front_lane_t;

static int32_t front_centred(const front_lane_t *lane, int32_t t)
{
    return PPG_STEPS * front_value(lane->words[t * PPG_WINDOW_CHANNELS], lane->exponent) -
           lane->sum;
}

static void front_measure(front_lane_t *lane)
{
    uint64_t squares = 0;
    int32_t sum = 0;
    int32_t t;
    PPG_ROLLED for (t = 0; t < PPG_STEPS; t++) {
        const int32_t x = front_value(lane->words[t * PPG_WINDOW_CHANNELS], lane->exponent);
        sum += x;
        squares += (uint32_t)(x * x);
    }
    lane->sum = sum;
    lane->squares = PPG_STEPS * squares - (uint64_t)((int64_t)sum * sum);
}

#if FRONT_LANE_ALONE

static void front_quantise_lane(const front_lane_t *lane, int32_t factor, int8_t *input)
{
    int32_t t;
    PPG_ROLLED for (t = 0; t < PPG_STEPS; t++) {
        input[t * PPG_CHANNELS] = front_output(front_scaled(front_centred(lane, t), factor));
    }
}

#endif

/* One channel of the PPG; its factor, 0 for a dead one. */
static int32_t front_begin_ppg(
    front_lane_t *lane, const int16_t *words, uint32_t mantissa, int shift)
{
    lane->words = words;
    lane->exponent = front_exponent(words);
    front_measure(lane);
    if (lane->exponent == 0 && lane->squares < FRONT_DEAD_SQUARES) {
        return 0;
    }
    return front_inverse_root(lane->squares > 0 ? lane->squares : 1, mantissa, shift);
}

#if FRONT_ONE_LANE
static void front_quantise_ppg(const int16_t *window, int8_t *input)
{
    front_lane_t lane;
    const int32_t factor = front_begin_ppg(&lane, window, FRONT_FACTOR, FRONT_FACTOR_SHIFT);
    front_quantise_lane(&lane, factor, input);
}
#else
static int32_t front_mixed(const front_lane_t *lanes, const int32_t *factors, int32_t t)
{
    int32_t mixed = 0;
    int lane;
    for (lane = 0; lane < PPG_PPG_CHANNELS; lane++) {
        mixed += front_scaled(front_centred(&lanes[lane], t), factors[lane]);
    }
    return mixed;
}

static void front_quantise_ppg(const int16_t *window, int8_t *input)
{
    front_lane_t lanes[PPG_PPG_CHANNELS];
    int32_t factors[PPG_PPG_CHANNELS];
    uint64_t total = 0;
    int32_t factor;
    int32_t t;
    int lane;
    for (lane = 0; lane < PPG_PPG_CHANNELS; lane++) {
        factors[lane] =
            front_begin_ppg(&lanes[lane], window + lane, FRONT_MIXED, FRONT_MIXED_SHIFT);
    }
    for (t = 0; t < PPG_STEPS; t++) {
        const int32_t mixed = front_mixed(lanes, factors, t);
        total += (uint64_t)((int64_t)mixed * mixed);
    }
    total = total > PPG_STEPS ? total : PPG_STEPS;
    factor = front_inverse_root(PPG_STEPS * total, FRONT_FACTOR, FRONT_FACTOR_SHIFT);
    for (t = 0; t < PPG_STEPS; t++) {
        input[t * PPG_CHANNELS] =
            front_output(front_scaled(front_mixed(lanes, factors, t), factor));
    }
}
#endif
#if FRONT_ACC

static void front_quantise_acc(const int16_t *window, int8_t *input)
{
    front_lane_t lanes[3];
    uint64_t squares = 0;
    int32_t largest = 0;
    int32_t factor;
    int axis;
    PPG_ROLLED for (axis = 0; axis < 3; axis++) {
        int32_t exponent;
        lanes[axis].words = window + PPG_PPG_CHANNELS + axis;
        exponent = front_exponent(lanes[axis].words);
        largest = exponent > largest ? exponent : largest;
    }
    PPG_ROLLED for (axis = 0; axis < 3; axis++) {
        lanes[axis].exponent = largest;
        front_measure(&lanes[axis]);
        squares += lanes[axis].squares;
    }
    factor = front_acc_factor(largest, squares);
    PPG_ROLLED for (axis = 0; axis < 3; axis++) {
        front_quantise_lane(&lanes[axis], factor, input + 1 + axis);
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
