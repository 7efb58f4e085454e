/* The head learns a made-up wearer: weights and biases afterwards are those of numpy (adapt.h).
 * Before, features and head together give the logits of ppg_infer. */
#include "ppg_adapt.h"
#include "adapt.h"
#include "window.h"

#if defined(PPG_SEMIHOSTING)
void say(const char *text);
#else
#include <stdio.h>
#define say(text) (void)fputs(text, stdout)
#endif

static ppg_adapt_t state;
static ppg_adapt_step_t step;
static uint64_t memory[(PPG_SCRATCH_BYTES + 7) / 8];
static int8_t logits[PPG_CLASSES];
static int8_t features[PPG_ADAPT_FEATURES];
#if defined(PPG_STREAMING)
static ppg_network_t network;
static int status;
#endif

static uint32_t hashed(uint32_t hash, uint32_t byte)
{
    return (hash ^ (byte & 255u)) * 16777619u;
}

/* How many checks fail. */
int ppg_check_adapt(void);
int ppg_check_adapt(void)
{
    uint32_t seed = 1, hash = 2166136261u;
    int wrong = 0;
    ppg_adapt_reset(&state);
#if defined(PPG_STREAMING)
    ppg_network_reset(&network);
    for (size_t at = 0; at < sizeof ppg_example; at += PPG_STEPS * PPG_CHANNELS) {
        status = ppg_features(&network, ppg_example + at, features, memory);
    }
    wrong += status != 1;
#else
    wrong += ppg_features(ppg_example, features, memory) != PPG_OK;
#endif
    ppg_adapt_logits(&state, features, logits, &step);
    for (int k = 0; k < PPG_CLASSES; k++) {
        wrong += logits[k] != ppg_expected[k];
    }
    for (int i = 0; i < ADAPT_EXAMPLE_WINDOWS; i++) {
        const int bpm = 70 + i * 37 % 64;
        for (int c = 0; c < PPG_ADAPT_FEATURES; c++) {
            seed = seed * 1664525u + 1013904223u;
            features[c] = (int8_t)((bpm - 100) * (c % 3 - 1) + (int)((seed >> 20) % 17) - 8);
        }
        wrong += ppg_adapt_add(&state, features, 256u * (uint32_t)bpm) != PPG_OK;
    }
    wrong += ppg_adapt_fit(&state, &step) != ADAPT_EXPECTED_RESULT;
    for (int i = 0; i < PPG_ADAPT_OUTPUTS * PPG_ADAPT_FEATURES; i++) {
        hash = hashed(hash, (uint8_t)state.weights[i]);
    }
    for (int i = 0; i < PPG_ADAPT_OUTPUTS; i++) {
        for (int byte = 0; byte < 4; byte++) {
            hash = hashed(hash, (uint32_t)state.biases[i] >> (8 * byte));
        }
    }
    return wrong + (hash != ADAPT_EXPECTED_HASH);
}

int main(void)
{
    const int wrong = ppg_check_adapt();
    say(wrong == 0 ? "PASS\n" : "FAIL\n");
    return wrong == 0 ? 0 : 1;
}
