/* Calls of one part each, for counts of it (deploy/fuzz/path.py). */
#include "model.h"

#define CHUNK 64

ppg_state_t state;
ppg_smoother_t smoother;
int32_t ppg_samples[CHUNK][PPG_PPG_CHANNELS];
#ifndef PATH_NO_ACC
int16_t acc_samples[CHUNK][3];
#endif
int16_t words[PPG_WINDOW_WORDS];
int8_t input[PPG_STEPS * PPG_CHANNELS];
int8_t logits[PPG_CLASSES];
uint32_t scratch[PPG_DECODE_WORDS];
ppg_reading_t reading, smoothed;
#ifdef PPG_WINDOW_STEPS /* streaming */
ppg_gain_t gain;
uint32_t sizes[4] = {sizeof(ppg_state_t), sizeof(ppg_smoother_t), sizeof words, sizeof gain};
#else
uint32_t sizes[4] = {sizeof(ppg_state_t), sizeof(ppg_smoother_t), sizeof words};
#endif

void start(void)
{
    ppg_reset(&state);
#ifdef PPG_WINDOW_STEPS
    ppg_gain_reset(&gain);
#endif
    ppg_smoother_reset(&smoother);
}

/* Whether a window, or a block, is due after these samples. */
int push_ppg(int count)
{
    int due = 0;
    for (int i = 0; i < count; i++) {
        due |= ppg_push_ppg(&state, ppg_samples[i]) == 1;
    }
    return due;
}

#ifndef PATH_NO_ACC
int push_acc(int count)
{
    int due = 0;
    for (int i = 0; i < count; i++) {
        due |= ppg_push_acc(&state, acc_samples[i]) == 1;
    }
    return due;
}
#endif

int window(void)
{
    return ppg_window(&state, words);
}

void quantise(void)
{
#ifdef PPG_WINDOW_STEPS
    ppg_quantise(&gain, words, input);
#else
    ppg_quantise(words, input);
#endif
}

void decode(void)
{
    ppg_decode(logits, scratch, &reading);
}

void smooth(void)
{
    ppg_smooth(&smoother, &reading, 1, scratch, &smoothed);
}
