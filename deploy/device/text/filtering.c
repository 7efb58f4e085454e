/* ---- front end: filter, resample, window, normalise ----------------------------------------- */

typedef struct {
    int32_t before[2]; /* x1, x2 of what drives the first section */
    int32_t first; /* the first sample in it */
    int32_t limit; /* of it, in counts */
    int32_t one; /* 2^F, a count */
    int32_t low[3]; /* first section: input, y1, y2 */
    int32_t high[3]; /* second section */
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
static PPG_INSIDE void front_section(ppg_section_t *y, const int32_t *by, int32_t x)
{
    const ppg_section_t last = *y;
    const int64_t sum = (2 * last.e1 - last.e2) + (int64_t)by[0] * x + (int64_t)by[1] * last.y1 +
                        (int64_t)by[2] * last.y2;
    y->y2 = last.y1;
    y->e2 = last.e1;
    y->y1 = (int32_t)(sum >> 30);
    y->e1 = (int32_t)(sum & 0x3fffffff);
}

/* The filtered value lands in high.y1, the one before it in high.y2. */
static PPG_INSIDE void front_filter(ppg_lane_t *lane, const front_sensor_t *by, int32_t x)
{
    const int32_t limit = by->limit;
    const int32_t x1 = lane->x1;
    const int32_t bend = lane->low.y2 - 2 * lane->low.y1;
    int32_t s = x + by->before[0] * x1 + by->before[1] * lane->x2 - lane->start;
    if (PPG_SELDOM((uint32_t)(s + limit) > 2 * (uint32_t)limit)) {
        s = front_clip(s, limit);
    }
    lane->x1 = x;
    lane->x2 = x1;
    front_section(&lane->low, by->low, s * by->one);
    front_section(&lane->high, by->high, lane->low.y1 + bend);
}

static PPG_APART void front_filter_lanes(
    ppg_lane_t *lane, const front_sensor_t *by, const int32_t *sample, int count)
{
    PPG_ROLLED do {
        front_filter(lane++, by, *sample++);
    } while (--count > 0);
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
static void front_start(ppg_lane_t *lane, const front_sensor_t *by, int32_t x)
{
    front_rest(lane);
    lane->x1 = x;
    lane->x2 = x;
    lane->start = by->first * x;
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

