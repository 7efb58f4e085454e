/* ---- decoder: class weights, mode, expectation, spread, smoothing --------------------------- */

DECODER_TABLES

/* 2^(-x / 2^24) * 2^(31 + up). */
static uint64_t decoder_exp2(uint64_t x, int up)
{
    const uint64_t whole = x >> 24;
    const uint32_t part = (uint32_t)x & 0xffffffu;
    const uint64_t value = fixed_line(decoder_exp2_table, part >> 18, part & 0x3ffffu, 18);
    return (value << up) >> (whole < 62 ? whole : 62);
}

static int32_t decoder_largest(const int8_t *logits)
{
    int32_t largest = INT8_MIN;
    int i;
    for (i = 0; i < PPG_CLASSES; i++) {
        largest = logits[i] > largest ? logits[i] : largest;
    }
    return largest;
}

/* exp(-scale * below) * 2^40. */
static uint64_t decoder_weight(int32_t below)
{
    return decoder_exp2((uint64_t)below * DECODER_EXPONENT, 9);
}

static uint16_t decoder_error(uint32_t spread, const decoder_calibration_t *by)
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

/* Weights w whose largest is above 2^22 to a reading; the heart rate is the expectation of `seen`
   around their mode. */
static void decoder_read(const uint32_t *w, const uint32_t *seen,
                         const decoder_calibration_t *by, ppg_reading_t *reading)
{
    uint64_t total = 0;
    uint64_t mass = 0;
    uint64_t seen_mass = 0;
    uint64_t second = 0;
    int64_t first = 0;
    int64_t seen_first = 0;
    int64_t mean;
    int64_t variance;
    int32_t mode = 0;
    int32_t i;
    for (i = 1; i < PPG_CLASSES; i++) {
        mode = w[i] > w[mode] ? i : mode;
    }
    for (i = 0; i < PPG_CLASSES; i++) {
        const int64_t j = i - mode;
        const int64_t moment = j * (int64_t)w[i];
        total += w[i];
        first += moment;
        second += (uint64_t)(j * moment);
        if (j >= -DECODER_HALF_WIDTH && j <= DECODER_HALF_WIDTH) {
            mass += w[i];
            seen_mass += seen[i];
            seen_first += j * (int64_t)seen[i];
        }
    }
    mean = fixed_floor_divide(first, (int64_t)(total >> 12));
    variance = (int64_t)(second / (total >> 16)) - fixed_shift_right(mean * mean, 8);
    variance = variance > 0 ? variance : 0;
    reading->spread_q8 = (uint16_t)fixed_square_root((uint64_t)variance);
    reading->bpm_q8 = (uint16_t)(
        256 * (DECODER_FIRST_BPM + mode) +
        fixed_floor_divide(256 * seen_first + (int64_t)(seen_mass >> 1), (int64_t)seen_mass));
    reading->confidence_q15 = (uint16_t)((mass << 15) / total);
    reading->error_q8 = decoder_error(reading->spread_q8, by);
    reading->invalid_steps = 0;
}

static void decoder_decode(const int8_t *logits, uint32_t *scratch,
                           const decoder_calibration_t *by, ppg_reading_t *reading)
{
    const int32_t largest = decoder_largest(logits);
    int i;
    for (i = 0; i < PPG_CLASSES; i++) {
        scratch[i] = (uint32_t)(decoder_weight(largest - logits[i]) >> 10);
    }
    decoder_read(scratch, scratch, by, reading);
}

void ppg_decode(const int8_t *logits, uint32_t *scratch, ppg_reading_t *reading)
{
    decoder_decode(logits, scratch, &decoder_raw_calibration, reading);
}
#if DECODER_HMM

/* (p + floor)^exponent of each class, in units of 2^-31, to `out`. */
static void decoder_evidence(const int8_t *logits, uint32_t *out)
{
    const int32_t largest = decoder_largest(logits);
    uint64_t total = 0;
    uint64_t added;
    int bits;
    int i;
    for (i = 0; i < PPG_CLASSES; i++) {
        total += decoder_weight(largest - logits[i]);
    }
    added = ((total >> 20) * DECODER_FLOOR) >> 20;
    bits = fixed_bit_length(((uint64_t)1 << 40) + added);
    for (i = 0; i < PPG_CLASSES; i++) {
        const uint64_t raised = decoder_weight(largest - logits[i]) + added;
        const int length = fixed_bit_length(raised);
        const uint32_t part = (uint32_t)((raised << (63 - length)) >> 38) & 0xffffffu;
        const uint64_t power = fixed_line(decoder_power, part >> 18, part & 0x3ffffu, 18);
        const uint64_t missing = (uint64_t)(uint32_t)(bits - length);
        out[i] = (uint32_t)((power * decoder_exp2(missing * DECODER_POWER, 0)) >> 31);
    }
}

/* Beliefs one stride later. */
static void decoder_advance(uint32_t *belief, uint32_t *scaled)
{
    int i;
    int d;
    for (i = 0; i < PPG_CLASSES; i++) {
        scaled[i] = belief[i];
    }
    for (i = 0; i < DECODER_ENDS; i++) {
        const int last = PPG_CLASSES - 1 - i;
        scaled[i] = (uint32_t)(((uint64_t)belief[i] * decoder_edge[i]) >> 30);
        scaled[last] = (uint32_t)(((uint64_t)belief[last] * decoder_edge[i]) >> 30);
    }
    for (i = 0; i < PPG_CLASSES; i++) {
        const int below = i < DECODER_BAND ? i : DECODER_BAND;
        const int room = PPG_CLASSES - 1 - i;
        const int above = room < DECODER_BAND ? room : DECODER_BAND;
        uint64_t total = (uint64_t)decoder_step[0] * scaled[i];
        for (d = 1; d <= below; d++) {
            total += (uint64_t)decoder_step[d] * scaled[i - d];
        }
        for (d = 1; d <= above; d++) {
            total += (uint64_t)decoder_step[d] * scaled[i + d];
        }
        belief[i] = (uint32_t)(total >> 31) + DECODER_JUMP;
    }
}

/* Beliefs after evidence; they sum to 2^31. */
static void decoder_weigh(uint32_t *belief, const uint32_t *seen)
{
    uint64_t total = 0;
    uint64_t reciprocal;
    int up;
    int i;
    for (i = 0; i < PPG_CLASSES; i++) {
        total += (uint64_t)belief[i] * seen[i];
    }
    up = 62 - fixed_bit_length(total);
    up = up > 0 ? up : 0;
    reciprocal = ((uint64_t)1 << 61) / ((total << up) >> 31);
    for (i = 0; i < PPG_CLASSES; i++) {
        const uint64_t product = ((uint64_t)belief[i] * seen[i]) << up;
        belief[i] = (uint32_t)(((product >> 31) * reciprocal) >> 30);
    }
}

void ppg_smoother_reset(ppg_smoother_t *state)
{
    state->started = 0;
}

void ppg_smooth(ppg_smoother_t *state, const int8_t *logits, uint32_t strides,
                uint32_t *scratch, ppg_reading_t *reading)
{
    uint32_t step;
    int i;
    if (!state->started || strides == 0) {
        for (i = 0; i < PPG_CLASSES; i++) {
            state->belief[i] = DECODER_START;
        }
        state->started = 1;
    } else {
        for (step = 0; step < strides && step < DECODER_LONGEST_GAP; step++) {
            decoder_advance(state->belief, scratch);
        }
    }
    decoder_evidence(logits, scratch);
    decoder_weigh(state->belief, scratch);
    decoder_read(state->belief, scratch, &decoder_calibration, reading);
}
#elif DECODER_CLIP

void ppg_smoother_reset(ppg_smoother_t *state)
{
    state->at = 0;
    state->count = 0;
    state->started = 0;
}

void ppg_smooth(ppg_smoother_t *state, const int8_t *logits, uint32_t strides,
                uint32_t *scratch, ppg_reading_t *reading)
{
    decoder_decode(logits, scratch, &decoder_calibration, reading);
    if (!state->started || strides == 0 || strides > DECODER_LONGEST_GAP) {
        ppg_smoother_reset(state);
        state->started = 1;
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
    } else {
        state->count++;
    }
    state->last[state->at] = reading->bpm_q8;
    state->at = (uint16_t)(state->at + 1u < DECODER_CLIP_READINGS ? state->at + 1u : 0u);
}
#else

void ppg_smoother_reset(ppg_smoother_t *state)
{
    state->started = 0;
}

void ppg_smooth(ppg_smoother_t *state, const int8_t *logits, uint32_t strides,
                uint32_t *scratch, ppg_reading_t *reading)
{
    (void)strides;
    state->started = 1;
    decoder_decode(logits, scratch, &decoder_calibration, reading);
}
#endif
