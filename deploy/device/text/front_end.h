/* ---- front end: raw samples of the sensors in, int8 windows of the network out -------------- */

/* The last outputs of a filter section, and what rounding left of them. */
typedef struct {
    int32_t y1, e1, y2, e2;
} ppg_section_t;

/* One channel of a sensor: both sections, its last samples, and what its first one weighs. */
typedef struct {
    ppg_section_t low, high;
    int32_t x1, x2, start;
#if FRONT_TWO_STAGES
    int32_t stream;
#endif
} ppg_lane_t;

/* Clock of one sensor. `due` and `stream_due` say where the next output sample stands. */
typedef struct {
    int32_t due;
#if FRONT_ACC
    uint32_t fine;
#endif
    int32_t need;
    int32_t at;
    int32_t started;
    int32_t gap;
#if FRONT_TWO_STAGES
    int32_t stream_due;
    int32_t stream_invalid;
#endif
} ppg_clock_t;
#if FRONT_ACC

/* How the acceleration follows the clock of the PPG. */
typedef struct {
    int32_t left, low, high;
    int32_t reference, range, widest, blocks;
    int32_t following, rate, correction;
    int32_t last, lost;
} ppg_follow_t;
#endif
#if FRONT_STREAMING

/* Sums of one block: of products of channels, and of samples, in units of its exponents. */
typedef struct {
    int64_t pairs[PPG_PPG_CHANNELS * (PPG_PPG_CHANNELS + 1) / 2];
#if FRONT_ACC
    int64_t acc_pairs;
    int32_t acc_level[3];
#endif
    int32_t level[PPG_PPG_CHANNELS];
    int16_t shift[PPG_PPG_CHANNELS];
#if FRONT_ACC
    int16_t acc_shift;
#endif
    int16_t invalid; /* steps; below 0 where the stream is broken there */
} ppg_sums_t;

/* What a block is normalised by: the last ones, a window of them. */
typedef struct {
    ppg_sums_t block[PPG_BLOCKS];
    uint32_t blocks;
} ppg_gain_t;
#endif

/* State of the front end; the caller's, any place in SRAM that is aligned to 4. */
typedef struct {
    ppg_lane_t ppg_lane[PPG_PPG_CHANNELS];
#if FRONT_ACC
    ppg_lane_t acc_lane[3];
    ppg_clock_t acc_clock;
    ppg_follow_t follow;
#endif
    ppg_clock_t ppg_clock;
    int32_t ready;
    int32_t quiet; /* a push that brings no output changes nothing else */
    volatile uint32_t pushes; /* odd while one is under way */
    uint32_t ppg_marks[(PPG_RING_STEPS + 31) / 32];
#if FRONT_ACC
    uint32_t acc_marks[(PPG_RING_STEPS + 31) / 32];
#endif
    int16_t ppg_ring[PPG_RING_STEPS][PPG_PPG_CHANNELS];
#if FRONT_ACC
    int16_t acc_ring[PPG_RING_STEPS][3];
#endif
} ppg_state_t;

/* Forgets everything: call it before the first sample, and not while samples are pushed. */
void ppg_reset(ppg_state_t *state);

/* One sample of all PPG channels, in counts of the sensor; NULL for one that is missing, railed or
 * otherwise invalid. Returns
#if FRONT_STREAMING
 *   1  a block of 2 s is due, 2 s after a reset and then every 2 s;
#else
 *   1  a window is due, 8 s after a reset and then every 2 s;
#endif
 *   0  nothing is;
#if FRONT_ACC
 *   PPG_ERROR_OUT_OF_STEP  samples of one sensor were lost, 0.4 s or more (docs/device.md).
 *      Invalid ones stand in for them, the windows that hold these say so, and nothing has to be
 *      done. While a sensor is silent this comes about once a second;
#endif
 *   PPG_ERROR_BUSY  it interrupts another push of this state; the sample is not taken;
 *   PPG_ERROR_NOT_RESET  ppg_reset was never called; the sample is not taken.
 * It may be called from an interrupt: both pushes from interrupts of one priority. */
int ppg_push_ppg(ppg_state_t *state, const int32_t *sample);
#if FRONT_ACC

/* One sample of the three axes, PPG_ACC_COUNTS_PER_G counts to 1 g, or NULL. Returns as
 * ppg_push_ppg. The clock of the PPG counts; where that of the acceleration differs by up to 5 %,
 * it is followed. Samples of either may come up to PPG_SLACK_STEPS before those of the other. */
int ppg_push_acc(ppg_state_t *state, const int16_t *sample);
#endif

#if FRONT_STREAMING
/* The block that was last due,
#else
/* The window that was last due,
#endif
 * PPG_WINDOW_WORDS words: [PPG_STEPS][PPG_WINDOW_CHANNELS] filtered samples, mantissa * 32 +
 * exponent each, PPG channels first; then how many of its PPG_STEPS steps are invalid.
 * Samples may be pushed meanwhile, from an interrupt: what is copied is whole, or nothing.
 * Returns PPG_OK; PPG_ERROR_NO_WINDOW where none was due yet or it waited too long; PPG_ERROR_BUSY
 * where it interrupts a push, or pushes interrupt it without an end. */
int ppg_window(const ppg_state_t *state, int16_t *window);

#if FRONT_STREAMING
/* Forgets the blocks before: call it with ppg_reset, and where a block is missing. */
void ppg_gain_reset(ppg_gain_t *gain);

/* Normalises a block by itself and the three before it, but none beyond 1/4 s of invalid samples, and
 * quantises it for the network: [PPG_STEPS][PPG_CHANNELS]. Call it once for each block. */
void ppg_quantise(ppg_gain_t *gain, const int16_t *window, int8_t *input);

/* How many of the steps of these blocks are invalid. */
uint16_t ppg_invalid_steps(const ppg_gain_t *gain);
#else
/* Normalises a window and quantises it for the network: [PPG_STEPS][PPG_CHANNELS]. */
void ppg_quantise(const int16_t *window, int8_t *input);
#endif
