/* From raw samples to a heart rate: one call for each sample, every result of it handled. */
#include <stddef.h>
#include "model.h"

static ppg_state_t state;       /* of the front end */
static ppg_smoother_t smoother;
#if SENSORS_STREAMING
static ppg_stream_t stream;     /* what is kept of the blocks before */
#endif
static uint64_t memory[(PPG_MEMORY_BYTES + 7) / 8];
static int16_t window[PPG_WINDOW_WORDS];
static uint32_t strides;        /* of 2 s since the last reading; 0: there was none */

void sensors_start(void);
int sensors_ppg(const int32_t *counts, ppg_reading_t *raw, ppg_reading_t *smoothed);
#if SENSORS_ACC
int sensors_acc(const int16_t *counts, ppg_reading_t *raw, ppg_reading_t *smoothed);
#endif

void sensors_start(void)
{
    ppg_reset(&state);
    ppg_smoother_reset(&smoother);
#if SENSORS_STREAMING
    ppg_stream_reset(&stream);
#endif
    strides = 0;
}

/* 1: there is a reading, of a window with invalid samples where smoothed->invalid_steps > 0.
 * 0: not yet. Below 0, and nothing has to be done: count it. */
static int reading_after(int pushed, ppg_reading_t *raw, ppg_reading_t *smoothed)
{
    int status;
    if (pushed != 1) {
#if SENSORS_ACC
        return pushed; /* 0, PPG_ERROR_OUT_OF_STEP: samples were lost, PPG_ERROR_NOT_RESET */
#else
        return pushed; /* 0, PPG_ERROR_NOT_RESET */
#endif
    }
    status = ppg_window(&state, window);
#if SENSORS_STREAMING
    if (status == PPG_OK) {
        status = ppg_predict(window, strides, &stream, memory, &smoother, raw, smoothed);
    } else {
        ppg_stream_reset(&stream); /* PPG_ERROR_NO_WINDOW: it waited too long, a block is lost */
    }
    if (status == 1) {
        strides = 1;
    } else if (strides > 0) {
        strides++; /* the next reading is 2 s further on: it comes with 8 s of blocks in a row */
    }
    return status;
#else
    if (status == PPG_OK) {
        status = ppg_predict(window, strides, memory, &smoother, raw, smoothed);
    }
    if (status == PPG_OK) {
        strides = 1;
        return 1;
    }
    if (strides > 0) {
        strides++; /* PPG_ERROR_NO_WINDOW: it waited too long. The next reading is 2 s further on. */
    }
    return status;
#endif
}

/* counts: one of each PPG channel, or NULL if the sample is missing, railed or otherwise invalid. */
int sensors_ppg(const int32_t *counts, ppg_reading_t *raw, ppg_reading_t *smoothed)
{
    return reading_after(ppg_push_ppg(&state, counts), raw, smoothed);
}
#if SENSORS_ACC

/* counts: of three axes, or NULL. */
int sensors_acc(const int16_t *counts, ppg_reading_t *raw, ppg_reading_t *smoothed)
{
    return reading_after(ppg_push_acc(&state, counts), raw, smoothed);
}
#endif
