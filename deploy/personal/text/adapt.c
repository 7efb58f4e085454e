/* SPDX-License-Identifier: MIT */
#include "ppg_adapt.h"

ADAPT_CONSTANTS
ADAPT_HELPERS
ADAPT_TABLES

static int32_t adapt_clamp(int64_t x, int32_t low, int32_t high)
{
    return x < low ? low : x > high ? high : (int32_t)x;
}

/* x / 2^bits, ties up. */
static int64_t adapt_rounded(int64_t x, int bits)
{
    return fixed_shift_right(x + ((int64_t)1 << (bits - 1)), bits);
}

static int32_t adapt_rescaled(int32_t sum, int32_t mantissa, int left)
{
    const int64_t product = (int64_t)sum * ((int64_t)1 << left) * mantissa;
    return (int32_t)adapt_rounded(product, 32);
}

/* 2^(-x / 2^24) * 2^(31 + up). */
static uint64_t adapt_exp2(uint64_t x, int up)
{
    const uint64_t whole = x >> 24;
    const uint32_t part = (uint32_t)x & 0xffffffu;
    const uint64_t value = fixed_line(adapt_exp2_table, part >> 18, part & 0x3ffffu, 18);
    return (value << up) >> (whole < 62 ? whole : 62);
}

/* Weights of all classes to shares in units of 2^-15. */
static void adapt_normalise(uint32_t *shares)
{
    uint64_t total = 0;
    uint64_t inverse;
    int k;
    for (k = 0; k < PPG_CLASSES; k++) {
        total += shares[k];
    }
    inverse = ((uint64_t)1 << 62) / total;
    for (k = 0; k < PPG_CLASSES; k++) {
        shares[k] = (uint32_t)((shares[k] * inverse) >> (62 - ADAPT_GRADIENT_BITS));
    }
}

static void adapt_softmax(const int8_t *logits, uint32_t *shares)
{
    int32_t largest = INT8_MIN;
    int k;
    for (k = 0; k < PPG_CLASSES; k++) {
        largest = logits[k] > largest ? logits[k] : largest;
    }
    for (k = 0; k < PPG_CLASSES; k++) {
        const uint64_t below = (uint64_t)(uint32_t)(largest - logits[k]);
        shares[k] = (uint32_t)(adapt_exp2(below * ADAPT_EXPONENT, 9) >> 10);
    }
    adapt_normalise(shares);
}

/* A Gaussian around a heart rate. */
static void adapt_label(uint32_t bpm_q8, uint32_t *shares)
{
    int k;
    for (k = 0; k < PPG_CLASSES; k++) {
        const int64_t away = 256 * (ADAPT_FIRST_BPM + k) - (int64_t)bpm_q8;
        const uint64_t square = (uint64_t)(away * away);
        shares[k] = (uint32_t)(adapt_exp2((square * ADAPT_LABEL_FACTOR) >> 10, 0) >> 1);
    }
    adapt_normalise(shares);
}

static void adapt_forward(const int8_t *weights, const int32_t *biases, const int8_t *features,
                          ppg_adapt_step_t *step, int8_t *logits)
{
    int32_t o;
    int c;
    for (c = 0; c < PPG_ADAPT_FEATURES; c++) {
        step->centred[c] = features[c] - (ADAPT_FEATURE_ZERO);
    }
    for (o = 0; o < PPG_ADAPT_OUTPUTS; o++) {
        int32_t sum = biases[o];
        for (c = 0; c < PPG_ADAPT_FEATURES; c++) {
            sum += weights[o * PPG_ADAPT_FEATURES + c] * step->centred[c];
        }
        step->coarse[o] = adapt_clamp(adapt_rescaled(sum, adapt_mantissas[o], ADAPT_LEFT),
                                      ADAPT_LOW, ADAPT_HIGH);
    }
#if ADAPT_SPREAD
    for (o = 0; o < PPG_ADAPT_OUTPUTS; o++) {
        const int32_t before = o > 0 ? step->coarse[o - 1] : 0;
        const int32_t after = o + 1 < PPG_ADAPT_OUTPUTS ? step->coarse[o + 1] : 0;
        int j;
        for (j = 0; j < ADAPT_PLACES; j++) {
            const int8_t *taps = adapt_taps + 3 * j;
            const int32_t sum = adapt_tap_biases[j] + taps[0] * before +
                                taps[1] * step->coarse[o] + taps[2] * after;
            const int32_t value = adapt_rescaled(sum, adapt_tap_mantissas[j], ADAPT_TAP_LEFT);
            logits[o * ADAPT_PLACES + j] =
                (int8_t)(adapt_clamp(value, ADAPT_TAP_LOW, ADAPT_TAP_HIGH) + (ADAPT_LOGIT_ZERO));
        }
    }
#else
    for (o = 0; o < PPG_ADAPT_OUTPUTS; o++) {
        logits[o] = (int8_t)(step->coarse[o] + (ADAPT_LOGIT_ZERO));
    }
#endif
}

/* Derivatives by the logits to those by the outputs of the dense layer. */
static void adapt_back(ppg_adapt_step_t *step)
{
    int32_t o;
#if ADAPT_SPREAD
    for (o = 0; o < PPG_ADAPT_OUTPUTS; o++) {
        const int32_t *g = step->derivative + o * ADAPT_PLACES;
        int64_t sum = 0;
        int j;
        for (j = 0; j < ADAPT_PLACES; j++) {
            sum += (int64_t)g[j] * adapt_back_taps[3 * j + 1];
            if (o + 1 < PPG_ADAPT_OUTPUTS) {
                sum += (int64_t)g[j + ADAPT_PLACES] * adapt_back_taps[3 * j];
            }
            if (o > 0) {
                sum += (int64_t)g[j - ADAPT_PLACES] * adapt_back_taps[3 * j + 2];
            }
        }
        step->by_output[o] = (int32_t)fixed_shift_right(sum, ADAPT_TAP_BITS);
    }
#else
    for (o = 0; o < PPG_ADAPT_OUTPUTS; o++) {
        step->by_output[o] = step->derivative[o];
    }
#endif
}

/* One parameter against its gradient. */
static void adapt_change(int32_t *parameter, int64_t gradient, uint32_t rate, int shift,
                         int32_t limit)
{
    const int64_t by = adapt_rounded(gradient * (int64_t)rate, shift);
    *parameter = adapt_clamp(*parameter - by, -limit, limit);
}

/* rates: of the first and of the second part of the parameters. */
static void adapt_learn(ppg_adapt_t *state, ppg_adapt_step_t *step, const uint32_t *rates)
{
    int32_t *own = state->parameters;
    int32_t o;
    int c;
#if ADAPT_BIAS
    (void)c;
    for (o = 0; o < PPG_ADAPT_OUTPUTS; o++) {
        adapt_change(own + o, step->by_output[o], rates[0], ADAPT_SHIFT_0, ADAPT_LIMIT_0);
    }
#elif ADAPT_SCALE_BIAS
    for (c = 0; c < PPG_ADAPT_FEATURES; c++) {
        step->by_feature[c] = 0;
    }
    for (o = 0; o < PPG_ADAPT_OUTPUTS; o++) {
        const int8_t *row = adapt_weights + o * PPG_ADAPT_FEATURES;
        for (c = 0; c < PPG_ADAPT_FEATURES; c++) {
            step->by_feature[c] += step->by_output[o] * row[c];
        }
    }
    for (c = 0; c < PPG_ADAPT_FEATURES; c++) {
        const int64_t t = step->by_feature[c];
        adapt_change(own + c, t * step->centred[c], rates[0], ADAPT_SHIFT_0, ADAPT_LIMIT_0);
        adapt_change(own + PPG_ADAPT_FEATURES + c, t, rates[1], ADAPT_SHIFT_1, ADAPT_LIMIT_1);
    }
#else
    int32_t *own_biases = own + ADAPT_ROWS * PPG_ADAPT_FEATURES;
    int32_t n;
    for (n = 0; n < ADAPT_ROWS; n++) {
        int64_t sum = 0;
        for (o = (n - 1) * ADAPT_SPACING + 1; o < (n + 1) * ADAPT_SPACING; o++) {
            if (o >= 0 && o < PPG_ADAPT_OUTPUTS) {
                const int32_t away = o - n * ADAPT_SPACING;
                sum += (int64_t)step->by_output[o] * (ADAPT_SPACING - (away < 0 ? -away : away));
            }
        }
        sum = fixed_floor_divide(sum, ADAPT_SPACING);
        for (c = 0; c < PPG_ADAPT_FEATURES; c++) {
            adapt_change(own + n * PPG_ADAPT_FEATURES + c, sum * step->centred[c], rates[0],
                         ADAPT_SHIFT_0, ADAPT_LIMIT_0);
        }
        adapt_change(own_biases + n, sum, rates[1], ADAPT_SHIFT_1, ADAPT_LIMIT_1);
    }
#endif
}

/* What the parameters make of the factory's head. */
static void adapt_fold(ppg_adapt_t *state)
{
    const int32_t *own = state->parameters;
    int32_t o;
    int c;
    for (o = 0; o < PPG_ADAPT_OUTPUTS; o++) {
        const int8_t *row = adapt_weights + o * PPG_ADAPT_FEATURES;
        int8_t *to = state->weights + o * PPG_ADAPT_FEATURES;
#if ADAPT_BIAS
        for (c = 0; c < PPG_ADAPT_FEATURES; c++) {
            to[c] = row[c];
        }
        state->biases[o] = adapt_biases[o] + (int32_t)adapt_rounded(own[o], ADAPT_BIAS_BITS);
#elif ADAPT_SCALE_BIAS
        int64_t moved = 0;
        for (c = 0; c < PPG_ADAPT_FEATURES; c++) {
            const int64_t wide = (int64_t)row[c] * ((1 << ADAPT_PARAMETER_BITS) + own[c]);
            to[c] = (int8_t)adapt_clamp(adapt_rounded(wide, ADAPT_PARAMETER_BITS), -127, 127);
            moved += (int64_t)row[c] * own[PPG_ADAPT_FEATURES + c];
        }
        state->biases[o] = adapt_biases[o] + (int32_t)adapt_rounded(moved, ADAPT_PARAMETER_BITS);
#else
        const int32_t *own_biases = own + ADAPT_ROWS * PPG_ADAPT_FEATURES;
        const int32_t n = o / ADAPT_SPACING;
        const int32_t right = o % ADAPT_SPACING;
        const int32_t left = ADAPT_SPACING - right;
        const int32_t next = right > 0 ? n + 1 : n;
        const int32_t *first = own + n * PPG_ADAPT_FEATURES;
        const int32_t *second = own + next * PPG_ADAPT_FEATURES;
        for (c = 0; c < PPG_ADAPT_FEATURES; c++) {
            const int32_t drawn = first[c] * left + second[c] * right;
            int32_t whole = drawn / ADAPT_SPACING;
            whole -= drawn % ADAPT_SPACING < 0;
            to[c] = (int8_t)adapt_clamp(row[c] + adapt_rounded(whole, ADAPT_PARAMETER_BITS),
                                        -127, 127);
        }
        state->biases[o] =
            adapt_biases[o] +
            (int32_t)adapt_rounded(
                fixed_floor_divide((int64_t)own_biases[n] * left + (int64_t)own_biases[next] * right,
                                   ADAPT_SPACING),
                ADAPT_BIAS_BITS);
#endif
    }
}

/* Expected absolute error of a window in units of 2^-12 BPM. */
static int64_t adapt_error(const int8_t *weights, const int32_t *biases, const int8_t *features,
                           uint32_t bpm_q8, ppg_adapt_step_t *step)
{
    int64_t sum = 0;
    int k;
    adapt_forward(weights, biases, features, step, step->logits);
    adapt_softmax(step->logits, step->shares);
    for (k = 0; k < PPG_CLASSES; k++) {
        const int64_t away = 256 * (ADAPT_FIRST_BPM + k) - (int64_t)bpm_q8;
        sum += step->shares[k] * (away < 0 ? -away : away);
    }
    return fixed_shift_right(sum, ADAPT_ERROR_SHIFT);
}

static void adapt_restart(ppg_adapt_t *state)
{
    int i;
    for (i = 0; i < PPG_ADAPT_PARAMETERS; i++) {
        state->parameters[i] = 0;
    }
    adapt_fold(state);
}

void ppg_adapt_reset(ppg_adapt_t *state)
{
    adapt_restart(state);
    state->count = 0;
    state->adapted = 0;
}

int ppg_adapt_add(ppg_adapt_t *state, const int8_t *features, uint32_t bpm_q8)
{
    const uint32_t low = 256 * ADAPT_FIRST_BPM;
    const uint32_t high = 256 * (ADAPT_FIRST_BPM + PPG_CLASSES - 1);
    int c;
    if (state->count >= PPG_ADAPT_WINDOWS) {
        return PPG_ADAPT_FULL;
    }
    for (c = 0; c < PPG_ADAPT_FEATURES; c++) {
        state->features[state->count * PPG_ADAPT_FEATURES + c] = features[c];
    }
    state->bpm_q8[state->count] = (uint16_t)(bpm_q8 < low ? low : bpm_q8 > high ? high : bpm_q8);
    state->count++;
    return PPG_OK;
}

static uint32_t adapt_common(uint32_t a, uint32_t b)
{
    while (b != 0) {
        const uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* From the factory's head on, over all windows but those from first to last. */
static void adapt_train(ppg_adapt_t *state, ppg_adapt_step_t *step, uint32_t first, uint32_t last)
{
    const uint32_t taught = state->count - (last - first);
    uint32_t stride = taught * 618 / 1000;
    uint32_t round;
    uint32_t i;
    adapt_restart(state);
    stride = stride > 0 ? stride : 1;
    while (adapt_common(stride, taught) > 1) {
        stride++;
    }
    for (round = 0; round < ADAPT_ROUNDS; round++) {
        uint32_t rates[2];
        uint32_t at = 0;
        rates[0] = (uint32_t)((uint64_t)ADAPT_RATE_0 * (ADAPT_ROUNDS - round) / ADAPT_ROUNDS);
        rates[1] = (uint32_t)((uint64_t)ADAPT_RATE_1 * (ADAPT_ROUNDS - round) / ADAPT_ROUNDS);
        for (i = 0; i < taught; i++) {
            const uint32_t window = at < first ? at : at + (last - first);
            int k;
            adapt_forward(state->weights, state->biases,
                          state->features + window * PPG_ADAPT_FEATURES, step, step->logits);
            adapt_label(state->bpm_q8[window], step->shares);
            for (k = 0; k < PPG_CLASSES; k++) {
                step->derivative[k] = -(int32_t)step->shares[k];
            }
            adapt_softmax(step->logits, step->shares);
            for (k = 0; k < PPG_CLASSES; k++) {
                step->derivative[k] += (int32_t)step->shares[k];
            }
            adapt_back(step);
            adapt_learn(state, step, rates);
            adapt_fold(state);
            at = (at + stride) % taught;
        }
        for (i = 0; i < PPG_ADAPT_PARAMETERS; i++) {
            const int64_t taken = (int64_t)state->parameters[i] * ADAPT_PULL;
            state->parameters[i] -= (int32_t)fixed_shift_right(taken, 16);
        }
        adapt_fold(state);
    }
}

int ppg_adapt_fit(ppg_adapt_t *state, ppg_adapt_step_t *step)
{
    const uint32_t count = state->count;
    uint32_t fold;
    int64_t sum = 0;
    int64_t squares = 0;
    int better;
    if (count < ADAPT_FEWEST || count > PPG_ADAPT_WINDOWS) { /* more where it was never reset */
        return PPG_ADAPT_FEW;
    }
    for (fold = 0; fold < ADAPT_FOLDS; fold++) {
        const uint32_t first = count * fold / ADAPT_FOLDS;
        const uint32_t last = count * (fold + 1) / ADAPT_FOLDS;
        const uint32_t end = last + ADAPT_SHARED < count ? last + ADAPT_SHARED : count;
        uint32_t i;
        adapt_train(state, step, first > ADAPT_SHARED ? first - ADAPT_SHARED : 0, end);
        for (i = first; i < last; i++) {
            const int8_t *features = state->features + i * PPG_ADAPT_FEATURES;
            const uint32_t bpm_q8 = state->bpm_q8[i];
            const int64_t fall =
                adapt_error(adapt_weights, adapt_biases, features, bpm_q8, step) -
                adapt_error(state->weights, state->biases, features, bpm_q8, step);
            sum += fall;
            squares += fall * fall;
        }
    }
    better = sum > 0 && sum * sum > ADAPT_CERTAINTY * ADAPT_CERTAINTY * squares;
    if (better) {
        adapt_train(state, step, 0, 0);
    } else {
        adapt_restart(state);
    }
    state->adapted = better ? ADAPT_KEPT : 0;
    return better;
}

void ppg_adapt_logits(const ppg_adapt_t *state, const int8_t *features, int8_t *logits,
                      ppg_adapt_step_t *step)
{
    const int own = state->adapted == ADAPT_KEPT;
    adapt_forward(own ? state->weights : adapt_weights, own ? state->biases : adapt_biases,
                  features, step, logits);
}
