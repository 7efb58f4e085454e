/* ---- decoder: class weights, mode, expectation, spread, smoothing --------------------------- */

DECODER_TABLES

/* exp(-scale * (largest - logit)) * 2^31 of each class. */
static PPG_APART void decoder_weights(const int8_t *logits, uint32_t *out)
{
    int32_t largest = INT8_MIN;
    int i;
    PPG_ROLLED for (i = 0; i < PPG_CLASSES; i++) {
        largest = logits[i] > largest ? logits[i] : largest;
    }
    PPG_ROLLED for (i = 0; i < PPG_CLASSES; i++) {
        out[i] = fixed_exp2((uint32_t)(largest - logits[i]) * DECODER_EXPONENT >> 4);
    }
}

static PPG_SMALL uint16_t decoder_error(uint32_t spread, const decoder_calibration_t *by)
{
    int right = 1;
    uint32_t width;
    if (by->count == 0) {
        return (uint16_t)spread;
    }
    if (spread <= by->spread[0]) {
        return by->error[0];
    }
    if (spread >= by->spread[by->count - 1]) {
        return by->error[by->count - 1];
    }
    while (spread >= by->spread[right]) {
        right++;
    }
    width = (uint32_t)by->spread[right] - by->spread[right - 1];
    return (uint16_t)(by->error[right - 1] +
                      ((uint32_t)by->error[right] - by->error[right - 1]) *
                          (spread - by->spread[right - 1]) / width);
}

/* How far to the right a sum has 16 bits. */
static int decoder_beyond(uint64_t sum)
{
    const int bits = fixed_wide_bit_length(sum);
    return bits > 16 ? bits - 16 : 0;
}

/* x / y in units of 2^-bits; y < 2^16, bits <= 16. */
static uint32_t decoder_quotient(uint32_t x, uint32_t y, int bits)
{
    return (x / y << bits) + (((x % y << 16) / y) >> (16 - bits));
}

/* Weights w, their sum above 2^15, to a reading; the heart rate is the expectation of
   `seen` around their mode. */
static PPG_SMALL void decoder_read(const uint32_t *w, const uint32_t *seen, ppg_reading_t *reading)
{
    uint64_t total = 0;
    uint64_t first = 0;
    uint64_t second = 0;
    uint64_t mass = 0;
    uint64_t seen_mass = 0;
    uint64_t seen_ahead = 0;
    uint32_t largest = 0;
    uint32_t share;
    uint32_t seen_share;
    uint32_t mode = 0;
    uint32_t i;
    int32_t mean;
    int32_t variance;
    int right;
    int j;
    for (i = 0; i < PPG_CLASSES; i++) {
        const uint32_t weight = w[i];
        if (weight == 0) {
            continue;
        }
        if (weight > largest) {
            largest = weight;
            mode = i;
        }
        total += weight;
        first += (uint64_t)weight * i;
        second += (uint64_t)weight * (i * i);
    }
    for (j = 0; j <= 2 * DECODER_HALF_WIDTH; j++) {
        const uint32_t at = mode + (uint32_t)j - DECODER_HALF_WIDTH;
        if (at < PPG_CLASSES) {
            mass += w[at];
            seen_mass += seen[at];
            seen_ahead += (uint64_t)seen[at] * (uint32_t)j;
        }
    }
    second += total * (mode * mode) - 2 * mode * first; /* around the mode */
    right = decoder_beyond(total);
    share = (uint32_t)(total >> right);
    mean = (int32_t)(decoder_quotient((uint32_t)(first >> right), share, 12) - (mode << 12));
    variance = (int32_t)decoder_quotient((uint32_t)(second >> right), share, 16) -
               (int32_t)((int64_t)mean * mean >> 8);
    reading->spread_q8 = (uint16_t)fixed_square_root((uint32_t)(variance > 0 ? variance : 0));
    reading->confidence_q15 = (uint16_t)(((uint32_t)(mass >> right) << 15) / share);
    right = decoder_beyond(seen_mass);
    seen_share = (uint32_t)(seen_mass >> right);
    reading->bpm_q8 = (uint16_t)(256 * (DECODER_FIRST_BPM - DECODER_HALF_WIDTH + mode) +
                                 (256 * (uint32_t)(seen_ahead >> right) + (seen_share >> 1)) /
                                     seen_share);
    reading->invalid_steps = 0;
}

PPG_SMALL void ppg_decode(const int8_t *logits, uint32_t *scratch, ppg_reading_t *reading)
{
    decoder_weights(logits, scratch);
    decoder_read(scratch, scratch, reading);
    reading->error_q8 = decoder_error(reading->spread_q8, &decoder_raw_calibration);
}
#if DECODER_HMM

/* Weights of classes to (p + floor)^exponent, in units of 2^-31. */
static PPG_APART void decoder_evidence(uint32_t *w)
{
    uint32_t total = 0;
    uint32_t added;
    int32_t most;
    int i;
    PPG_ROLLED for (i = 0; i < PPG_CLASSES; i++) {
        total += w[i] >> DECODER_SUM_SHIFT;
    }
    added = (uint32_t)(((uint64_t)total * DECODER_FLOOR) >> DECODER_FLOOR_SHIFT);
    added = added > 0 ? added : 1;
    most = fixed_log2(((uint32_t)1 << 30) + added);
    PPG_ROLLED for (i = 0; i < PPG_CLASSES; i++) {
        const int32_t missing = most - fixed_log2((w[i] >> 1) + added);
        const uint32_t above = (uint32_t)(missing > 0 ? missing : 0);
        w[i] = fixed_exp2((uint32_t)((uint64_t)above * DECODER_POWER >> 16));
    }
}

/* Beliefs one stride later, two at once. The old ones lie at DECODER_BAND, between zeros, and most
 * are 0; the new ones at 0, each in the place of the last old one that it needs. */
static PPG_APART void decoder_advance(uint32_t *belief)
{
    uint32_t *const c = belief + DECODER_BAND;
    int first = 0;
    int last = PPG_CLASSES - 1;
    int i;
    PPG_ROLLED while (first < last && c[first] == 0) {
        first++;
    }
    PPG_ROLLED while (first < last && c[last] == 0) {
        last--;
    }
    PPG_ROLLED for (i = 0; i < DECODER_ENDS; i++) {
        const int other = PPG_CLASSES - 1 - i;
        c[i] = (uint32_t)(((uint64_t)c[i] * decoder_edge[i]) >> 30);
        c[other] = (uint32_t)(((uint64_t)c[other] * decoder_edge[i]) >> 30);
    }
    PPG_ROLLED for (i = 0; i < PPG_CLASSES; i += 2) {
        const int off = i < first ? first - i - 2 : i - last - 1;
        const int near = off < 0 ? 0 : off < DECODER_BAND ? off : DECODER_BAND; /* all 0 so far */
        const uint32_t *low = c + i - near;
        const uint32_t *high = c + i + 1 + near;
        const uint32_t *step = decoder_step + near;
        uint32_t left = *low;
        uint32_t right = *high;
        uint64_t one = (uint64_t)*step * c[i];
        uint64_t two = (uint64_t)*step * c[i + 1];
        PPG_ROLLED while (step < decoder_step + DECODER_BAND) {
            const uint32_t below = *--low;
            const uint32_t above = *++high;
            const uint32_t by = *++step;
            PPG_KEPT(low);
            PPG_KEPT(high);
            PPG_KEPT(step);
            one += (uint64_t)by * (below + right);
            two += (uint64_t)by * (left + above);
            left = below;
            right = above;
        }
        belief[i] = (uint32_t)(one >> 31) + DECODER_JUMP;
        belief[i + 1] = (uint32_t)(two >> 31) + DECODER_JUMP;
    }
}

/* Beliefs after evidence; they sum to 2^31 but for a part in 2^15. Those that a jump alone would
 * bring back count as none. They move to where `decoder_advance` takes them from. */
static PPG_APART void decoder_weigh(uint32_t *belief, const uint32_t *seen)
{
    uint64_t total = 0;
    uint32_t reciprocal;
    int right; /* 1 to 32 */
    int i;
    PPG_ROLLED for (i = 0; i < PPG_CLASSES; i++) {
        total += (uint64_t)belief[i] * seen[i];
    }
    right = fixed_wide_bit_length(total) - 31;
    reciprocal = UINT32_MAX / (uint32_t)(total >> (right + 15));
    PPG_ROLLED for (i = PPG_CLASSES - 1; i >= 0; i--) {
        const uint64_t product = (uint64_t)belief[i] * seen[i];
        const uint32_t high = (uint32_t)(product >> 32) << (32 - right);
        const uint32_t low = (uint32_t)product >> 1 >> (right - 1);
        const uint32_t now = (uint32_t)((uint64_t)(high | low) * reciprocal >> 16);
        belief[DECODER_BAND + i] = now < DECODER_LEAST ? 0 : now;
    }
    PPG_ROLLED for (i = 0; i < DECODER_BAND; i++) {
        belief[i] = 0;
    }
}

void ppg_smoother_reset(ppg_smoother_t *state)
{
    state->started = 0;
}

PPG_SMALL void ppg_smooth(ppg_smoother_t *state, const ppg_reading_t *raw, uint32_t strides,
                uint32_t *scratch, ppg_reading_t *reading)
{
    uint32_t *const belief = state->belief;
    const uint32_t *by = belief + DECODER_BAND;
    const int heard = raw->invalid_steps <= DECODER_HEARD_STEPS;
    uint32_t step;
    int i;
    if (state->started == DECODER_STARTED && strides != 0) {
        decoder_advance(belief);
        for (step = 1; step < strides && step < DECODER_LONGEST_GAP; step++) {
            for (i = PPG_CLASSES + DECODER_BAND - 1; i >= 0; i--) {
                belief[i] = i < DECODER_BAND ? 0 : belief[i - DECODER_BAND];
            }
            decoder_advance(belief);
        }
    } else if (heard) {
        for (i = 0; i < PPG_CLASSES + 2 * DECODER_BAND; i++) {
            belief[i] = i < PPG_CLASSES ? DECODER_START : 0;
        }
        state->started = DECODER_STARTED;
        state->apart = 0;
    } else { /* nothing is known yet */
        state->started = 0;
        state->apart = 0;
        by = scratch;
    }
    PPG_ROLLED for (i = 0; i < PPG_CLASSES && !heard && by != scratch; i++) {
        scratch[i] = (uint32_t)1 << 31; /* all the same: it says nothing */
    }
    if (by != scratch) {
        decoder_evidence(scratch);
        decoder_weigh(belief, scratch);
    }
    decoder_read(by, scratch, reading);
    if (heard) {
        state->apart -= state->apart / DECODER_DOUBT_READINGS;
        state->apart += reading->bpm_q8 > raw->bpm_q8
                            ? (uint32_t)reading->bpm_q8 - raw->bpm_q8
                            : (uint32_t)raw->bpm_q8 - reading->bpm_q8;
    }
    reading->spread_q8 = (uint16_t)(reading->spread_q8 + (state->apart >> DECODER_DOUBT_SHIFT));
    reading->error_q8 = decoder_error(reading->spread_q8, &decoder_calibration);
    reading->invalid_steps = raw->invalid_steps;
}
#elif DECODER_CLIP

void ppg_smoother_reset(ppg_smoother_t *state)
{
    state->at = 0;
    state->count = 0;
    state->missed = 0;
    state->started = 0;
}

PPG_SMALL void ppg_smooth(ppg_smoother_t *state, const ppg_reading_t *raw, uint32_t strides,
                uint32_t *scratch, ppg_reading_t *reading)
{
    (void)scratch;
    *reading = *raw;
    reading->error_q8 = decoder_error(raw->spread_q8, &decoder_calibration);
    if (state->started != DECODER_STARTED || strides == 0 ||
        strides > DECODER_LONGEST_GAP - state->missed) {
        ppg_smoother_reset(state);
        state->started = DECODER_STARTED;
        strides = 0;
    }
    if (state->count == DECODER_CLIP_READINGS) {
        uint32_t sum = 0;
        uint32_t low;
        uint32_t high;
        int i;
        for (i = 0; i < DECODER_CLIP_READINGS; i++) {
            sum += state->last[i];
        }
        low = sum * (100u - DECODER_CLIP_PERCENT) / (100u * DECODER_CLIP_READINGS);
        high = sum * (100u + DECODER_CLIP_PERCENT) / (100u * DECODER_CLIP_READINGS);
        if (reading->bpm_q8 < low) {
            reading->bpm_q8 = (uint16_t)low;
        } else if (reading->bpm_q8 > high) {
            reading->bpm_q8 = (uint16_t)high;
        }
    }
    if (raw->invalid_steps > DECODER_HEARD_STEPS) {
        state->missed = (uint16_t)(state->missed + strides);
        return;
    }
    state->missed = 0;
    state->count = (uint8_t)(state->count + (state->count < DECODER_CLIP_READINGS));
    state->last[state->at] = reading->bpm_q8;
    state->at = (uint8_t)(state->at + 1u < DECODER_CLIP_READINGS ? state->at + 1u : 0u);
}
#else

void ppg_smoother_reset(ppg_smoother_t *state)
{
    state->started = 0;
}

PPG_SMALL void ppg_smooth(ppg_smoother_t *state, const ppg_reading_t *raw, uint32_t strides,
                uint32_t *scratch, ppg_reading_t *reading)
{
    (void)scratch;
    *reading = *raw;
    reading->error_q8 = decoder_error(raw->spread_q8, &decoder_calibration);
    (void)strides;
    state->started = 1;
}
#endif
