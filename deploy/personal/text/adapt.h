/* SPDX-License-Identifier: MIT
 *
 * The head of the network learns its wearer: kind ADAPT_NAME. Integers alone; no heap.
 *
 *     ppg_adapt_reset(&state);
 *     for each window whose heart rate is known:
 *         ppg_features(input, features, memory);       input as of ppg_infer
 *         ppg_adapt_add(&state, features, bpm_q8);
 *     ppg_adapt_fit(&state, &step);                    1: adapted, 0: the factory head stays
 *     and from then on, instead of ppg_infer:
 *         ppg_features(input, features, memory);
 *         ppg_adapt_logits(&state, features, logits, &step);
 */
#ifndef PPG_ADAPT_H
#define PPG_ADAPT_H

#include "model.h"

#ifdef __cplusplus
extern "C" {
#endif

ADAPT_SIZES
#define PPG_ADAPT_FULL (-3)
#define PPG_ADAPT_FEW (-4)

/* The caller's; it may be kept in flash as it is and read back. */
typedef struct {
    int32_t parameters[PPG_ADAPT_PARAMETERS];
    int32_t biases[PPG_ADAPT_OUTPUTS];
    int8_t weights[PPG_ADAPT_WEIGHT_BYTES];
    int8_t features[PPG_ADAPT_FEATURE_BYTES];
    uint16_t bpm_q8[PPG_ADAPT_LABELS];
    uint16_t count;
    uint16_t adapted;
} ppg_adapt_t;

/* Memory of one call; it holds nothing between calls, and may lie in the memory of ppg_infer. */
typedef struct {
    uint32_t shares[PPG_CLASSES];
    int32_t derivative[PPG_CLASSES];
    int32_t coarse[PPG_ADAPT_OUTPUTS];
    int32_t by_output[PPG_ADAPT_OUTPUTS];
    int32_t by_feature[PPG_ADAPT_FEATURES];
    int32_t centred[PPG_ADAPT_FEATURES];
    int8_t logits[(PPG_CLASSES + 3) / 4 * 4];
} ppg_adapt_step_t;

/* What enters the head, as ppg_infer or, where the network streams, ppg_step takes its arguments
 * and returns; features: [PPG_ADAPT_FEATURES]. A block goes through one of the two alone. */
#if defined(PPG_STREAMING)
int ppg_features(ppg_network_t *network, const int8_t *block, int8_t *features, void *memory);
#else
int ppg_features(const int8_t *input, int8_t *features, void *memory);
#endif

/* The factory head, and no windows. */
void ppg_adapt_reset(ppg_adapt_t *state);

/* Keeps a window whose heart rate is known, in 1/256 BPM; windows come in order of time.
 * Returns PPG_OK, or PPG_ADAPT_FULL. */
int ppg_adapt_add(ppg_adapt_t *state, const int8_t *features, uint32_t bpm_q8);

/* Learns from all windows, where heads that learnt from four fifths of them read the others better.
 * Returns 1 if the head is another one now, 0 if that of the factory stays, or PPG_ADAPT_FEW. */
int ppg_adapt_fit(ppg_adapt_t *state, ppg_adapt_step_t *step);

/* The logits of a window by the head as it is: that of the factory in memory that holds no state. */
void ppg_adapt_logits(const ppg_adapt_t *state, const int8_t *features, int8_t *logits,
                      ppg_adapt_step_t *step);

#ifdef __cplusplus
}
#endif

#endif
