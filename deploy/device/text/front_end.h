/* ---- front end: raw samples of the sensors in, int8 windows of the network out -------------- */

/* One channel of a sensor: outputs of both filter sections, and its last raw samples. */
typedef struct {
    int64_t v1, v2, w1, w2;
#if FRONT_TWO_STAGES
    int64_t stream;
#endif
    int32_t first, x1, x2;
} ppg_lane_t;

/* Clocks of one sensor. `due` and `stream_due` say where the next output sample stands. */
typedef struct {
    int32_t due;
#if FRONT_TWO_STAGES
    int32_t stream_due;
#endif
    int32_t need;
    int32_t at;
    int32_t started;
} ppg_clock_t;

/* State of the front end; the caller's, any place in SRAM that is aligned to 8. */
typedef struct {
    ppg_lane_t ppg_lane[PPG_PPG_CHANNELS];
#if FRONT_ACC
    ppg_lane_t acc_lane[3];
    ppg_clock_t acc_clock;
#endif
    ppg_clock_t ppg_clock;
    int32_t ready;
    int32_t ppg_ring[PPG_RING_STEPS][PPG_PPG_CHANNELS];
#if FRONT_ACC
    int32_t acc_ring[PPG_RING_STEPS][3];
#endif
} ppg_state_t;

/* Forgets everything: before the first sample, and whenever samples were lost. */
void ppg_reset(ppg_state_t *state);

/* One sample of all PPG channels, in counts of the sensor.
 * Returns 1 when a window is due (8 s after a reset, then every 2 s), else 0;
 * PPG_ERROR_OUT_OF_STEP when one sensor is more than PPG_SLACK_STEPS ahead of the other:
 * samples were lost, call ppg_reset. */
int ppg_push_ppg(ppg_state_t *state, const int32_t *sample);
#if FRONT_ACC

/* One sample of the three axes, PPG_ACC_COUNTS_PER_G counts to 1 g. Returns as ppg_push_ppg. */
int ppg_push_acc(ppg_state_t *state, const int16_t *sample);
#endif

/* The window that was last due, PPG_WINDOW_WORDS words: [PPG_STEPS][PPG_WINDOW_CHANNELS], PPG
 * channels with a block exponent each (their size carries nothing)
#if FRONT_ACC
 * and the axes in 2^(h - 20) g, then h, 0 to 16: 8 stands for 1/4096 g.
#else
 * and nothing else.
#endif
 * Returns PPG_OK, or PPG_ERROR_NO_WINDOW where none was due yet or it waited too long. */
int ppg_window(const ppg_state_t *state, int16_t *window);

/* Normalises a window and quantises it for the network: [PPG_STEPS][PPG_CHANNELS]. */
void ppg_quantise(const int16_t *window, int8_t *input);
