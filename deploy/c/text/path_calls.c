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
ppg_reading_t reading;
uint32_t sizes[3] = {sizeof(ppg_state_t), sizeof(ppg_smoother_t), sizeof words};

void start(void)
{
    ppg_reset(&state);
    ppg_smoother_reset(&smoother);
}

/* Whether a window is due after these samples. */
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
    ppg_quantise(words, input);
}

void decode(void)
{
    ppg_decode(logits, scratch, &reading);
}

void smooth(void)
{
    ppg_smooth(&smoother, logits, 1, scratch, &reading);
}
