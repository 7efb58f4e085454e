/* ---- front end: filter, resample, window, normalise ----------------------------------------- */

typedef struct {
    int32_t gain;
    int32_t one; /* 2^F, a count */
    int32_t limit; /* of what the first section is driven with, in counts */
    int32_t before[2]; /* x1, x2 of the first section */
    int32_t low[2]; /* y1, y2 of the first section, then of the second */
    int32_t high[2];
    int32_t step; /* an output sample is step / grid input samples */
    int32_t grid;
    uint32_t share; /* 2^31 / grid */
    int32_t hold; /* so many invalid samples end a signal; the filter holds the last for fewer */
} front_sensor_t;

FRONT_TABLES

static int32_t front_clip(int32_t x, int32_t limit)
{
    x = x < limit ? x : limit;
    return x > -limit ? x : -limit;
}

/* The next output of a section; the second difference of what rounding left goes on with it. */
static int32_t front_section(ppg_section_t *y, const int32_t *by, int64_t driven)
{
    const int64_t sum = driven + (2 * y->e1 - y->e2) + (int64_t)by[0] * y->y1 +
                        (int64_t)by[1] * y->y2;
    y->y2 = y->y1;
    y->y1 = (int32_t)(sum >> 30);
    y->e2 = y->e1;
    y->e1 = (int32_t)(sum & 0x3fffffff);
    return y->y1;
}

/* The filtered value lands in high.y1, the one before it in high.y2. */
static void front_filter(ppg_lane_t *lane, const front_sensor_t *by, int32_t sample)
{
    const int32_t u = front_clip(sample, FRONT_LARGEST_SAMPLE) - lane->first;
    const int32_t sum = u + by->before[0] * lane->u1 + by->before[1] * lane->u2;
    const int32_t s = front_clip(sum, by->limit) * by->one;
    const int32_t before = lane->low.y2;
    const int32_t last = lane->low.y1;
    const int32_t now = front_section(&lane->low, by->low, (int64_t)by->gain * s);
    const int32_t bent = (now - last) - (last - before);
    lane->u2 = lane->u1;
    lane->u1 = u;
    front_section(&lane->high, by->high, (int64_t)bent * (1 << 30));
}

static void front_clear_section(ppg_section_t *y)
{
    y->y1 = 0;
    y->y2 = 0;
    y->e1 = 0;
    y->e2 = 0;
}

/* No signal: the filter rests, and what it gives is 0. */
static void front_rest(ppg_lane_t *lane)
{
    const int32_t last = lane->high.y1;
    front_clear_section(&lane->low);
    front_clear_section(&lane->high);
    lane->high.y2 = last;
}

/* Steady state of a first sample. */
static void front_start(ppg_lane_t *lane, int32_t sample)
{
    front_rest(lane);
    lane->first = front_clip(sample, FRONT_LARGEST_SAMPLE);
    lane->u1 = 0;
    lane->u2 = 0;
}

/* The value share / 2^31 of the way from `before` to `after`. */
static int32_t front_between(int32_t before, int32_t after, uint32_t share)
{
    const int64_t way = (int64_t)(after - before) * (int32_t)share;
    return before + (int32_t)((way + (1 << 30)) >> 31);
}

static int16_t front_pack(int32_t y)
{
    const uint32_t size = (uint32_t)(y < 0 ? -1 - y : y);
    const int exponent = fixed_bit_length(size | FRONT_LARGEST_MANTISSA) - FRONT_MANTISSA_BITS;
    const int32_t mantissa = (y + ((1 << exponent) >> 1)) >> exponent;
    return (int16_t)(
        (mantissa < FRONT_LARGEST_MANTISSA ? mantissa : FRONT_LARGEST_MANTISSA) * 32 + exponent);
}

