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
    int32_t hold; /* so many invalid samples end a signal; the filter holds the last for fewer */
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

/* No signal: the filter rests, and what it gives is 0. */
static void front_rest(ppg_lane_t *lane)
{
    lane->v1 = 0;
    lane->v2 = 0;
    lane->w2 = lane->w1;
    lane->w1 = 0;
}

/* Steady state of a first sample. */
static void front_start(ppg_lane_t *lane, int32_t sample)
{
    front_rest(lane);
    lane->first = sample;
    lane->x1 = sample;
    lane->x2 = sample;
}

/* The value part / (grid 2^24) of the way from `before` to `after`; 0 < part <= grid 2^24. */
static int64_t front_between(int64_t before, int64_t after, int64_t part, int32_t grid)
{
    const int64_t share = part * ((int64_t)1 << (31 - FRONT_ONE_BITS)) / grid;
    if (part == grid * FRONT_ONE) {
        return after;
    }
    return before + front_multiply_shift(2 * (after - before), (int32_t)share, 32);
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

