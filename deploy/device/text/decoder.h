/* ---- decoder: int8 logits in, heart rate out ------------------------------------------------ */

typedef struct {
    uint16_t bpm_q8;         /* heart rate in 1/256 BPM */
    uint16_t spread_q8;      /* standard deviation of the class probabilities in 1/256 BPM; smoothed
                              * by hmm, and half of how far raw readings lay from smoothed ones */
    uint16_t confidence_q15; /* probability within 8 BPM of the mode, 32768 is 1 */
    uint16_t error_q8;       /* expected absolute error in 1/256 BPM, as calibrated */
    uint16_t invalid_steps;  /* of the window's PPG_STEPS; 0: every sample was valid */
} ppg_reading_t;

/* State of the smoothing; the caller's. */
typedef struct {
#if DECODER_HMM
    uint32_t belief[PPG_CLASSES + 2 * DECODER_BAND];
    uint32_t apart; /* how far raw readings lay from smoothed ones */
#elif DECODER_CLIP
    uint16_t last[DECODER_CLIP_READINGS];
    uint8_t at;
    uint8_t count;
    uint16_t missed; /* strides since the last of them */
#endif
    uint16_t started;
} ppg_smoother_t;

/* One window alone. scratch: PPG_DECODE_WORDS words without meaning before. */
void ppg_decode(const int8_t *logits, uint32_t *scratch, ppg_reading_t *reading);

/* Forgets what came before. */
void ppg_smoother_reset(ppg_smoother_t *state);

/* The same window after those before it (smoothing: DECODER_NAME).
 * raw, scratch: as ppg_decode left them; the scratch means nothing afterwards. A raw reading with
 * more invalid_steps than half a second is not listened to: the rate goes on as those before let
 * expect.
 * strides: how many times 2 s lie between this window and the one before; 0 starts anew. */
void ppg_smooth(ppg_smoother_t *state, const ppg_reading_t *raw, uint32_t strides,
                uint32_t *scratch, ppg_reading_t *reading);
