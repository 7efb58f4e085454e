static void front_clear(ppg_clock_t *clock)
{
    clock->need = PPG_STEPS;
    clock->at = 0;
    clock->started = 0;
}
#if FRONT_ACC

static void front_begin_block(ppg_follow_t *follow)
{
    follow->left = PPG_STRIDE_STEPS;
    follow->low = INT32_MAX;
    follow->high = -INT32_MAX;
}
#endif

void ppg_reset(ppg_state_t *state)
{
    front_clear(&state->ppg_clock);
#if FRONT_ACC
    front_clear(&state->acc_clock);
    front_begin_block(&state->follow);
    state->follow.reference = 0;
    state->follow.widest = 0;
    state->follow.range = 0;
    state->follow.blocks = 0;
    state->follow.following = 0;
    state->follow.rate = 0;
    state->follow.correction = 0;
    state->follow.last = 0;
    state->follow.lost = 0;
#endif
    state->pushes = 0;
    state->ready = FRONT_RESET;
}

static int32_t front_after(int32_t at)
{
    return at + 1 < PPG_RING_STEPS ? at + 1 : 0;
}

static void front_mark(uint32_t *marks, int32_t at, int invalid)
{
    const uint32_t bit = (uint32_t)1 << ((uint32_t)at & 31u);
    marks[at / 32] = invalid ? marks[at / 32] | bit : marks[at / 32] & ~bit;
}

/* One output sample of a sensor, at the rate of the network. */
static void front_store(ppg_state_t *state, int acceleration, const int64_t *y, int invalid)
{
    ppg_clock_t *clock = &state->ppg_clock;
    int lane;
#if FRONT_ACC
    if (acceleration) {
        const int64_t one_g = (int64_t)PPG_ACC_COUNTS_PER_G << FRONT_FRACTION_BITS;
        clock = &state->acc_clock;
        for (lane = 0; lane < 3; lane++) {
            const int64_t scaled = y[lane] * ((int64_t)1 << FRONT_ACC_G_BITS);
            int64_t value = fixed_floor_divide(scaled + one_g / 2, one_g);
            value = value > INT32_MAX ? INT32_MAX : value;
            value = value < -INT32_MAX ? -INT32_MAX : value;
            state->acc_ring[clock->at][lane] = (int32_t)value;
        }
        front_mark(state->acc_marks, clock->at, invalid);
        clock->at = front_after(clock->at);
        clock->need--;
        return;
    }
    state->follow.left--;
#else
    (void)acceleration;
#endif
    for (lane = 0; lane < PPG_PPG_CHANNELS; lane++) {
        state->ppg_ring[clock->at][lane] = front_pack(y[lane]);
    }
    front_mark(state->ppg_marks, clock->at, invalid);
    clock->at = front_after(clock->at);
    clock->need--;
}
#if FRONT_ACC

static int32_t front_limit(int64_t value, int32_t limit)
{
    value = value < limit ? value : limit;
    return (int32_t)(value > -limit ? value : -limit);
}

static int32_t front_half(int32_t half_steps)
{
    return (int32_t)fixed_shift_right(half_steps, 1);
}

/* Output samples that the acceleration is ahead of the PPG. */
static int32_t front_lead(const ppg_state_t *state)
{
    return state->ppg_clock.need - state->acc_clock.need;
}

/* How far the lead is outside its usual swing. */
static int32_t front_apart(const ppg_state_t *state)
{
    const int32_t lead = front_lead(state);
    const int32_t middle = front_half(state->follow.reference);
    const int32_t swing = front_limit(state->follow.widest / 32, FRONT_SWING_STEPS);
    const int32_t high = front_limit(middle + swing, PPG_SLACK_STEPS);
    const int32_t low = front_limit(middle - swing, PPG_SLACK_STEPS);
    if (lead > high) {
        return lead - high;
    }
    return lead < low ? lead - low : 0;
}

/* Invalid output samples in the place of lost ones; the sensor's next sample is a first one. */
static void front_stand_in(ppg_state_t *state, int acceleration, int32_t count)
{
    const int64_t rest[3] = {0, 0, 0};
    ppg_clock_t *const clock = acceleration ? &state->acc_clock : &state->ppg_clock;
    clock->started = FRONT_LOST;
    while (count-- > 0) {
        front_store(state, acceleration, rest, 1);
    }
}

/* One of the sensors lost samples: `apart` is how many more than usual the acceleration is ahead.
 * Nobody overtakes the other here, a window may be due; the next sample makes up the rest. */
static void front_lost(ppg_state_t *state, int32_t apart)
{
    const int32_t lead = front_lead(state);
    if (apart < 0) {
        front_stand_in(state, 1, -(apart > lead ? apart : lead));
    } else {
        front_stand_in(state, 0, apart < lead ? apart : lead);
    }
    front_begin_block(&state->follow);
    state->follow.last = 0;
    state->follow.lost = 1;
}

/* Keeps the acceleration as far ahead of the PPG as it was at first: its clock runs freely. */
static void front_follow(ppg_state_t *state)
{
    ppg_follow_t *const follow = &state->follow;
    const int32_t lead = front_lead(state);
    int32_t low;
    int32_t high;
    int32_t error;
    int32_t range;
    int32_t usual;
    int32_t jump;
    int32_t free;
    int32_t early;
    if (lead > PPG_SLACK_STEPS || lead < -PPG_SLACK_STEPS) {
        front_lost(state, front_apart(state));
        return;
    }
    follow->low = lead < follow->low ? lead : follow->low;
    follow->high = lead > follow->high ? lead : follow->high;
    if (follow->left > 0) {
        return;
    }
    low = follow->low;
    high = follow->high;
    error = low + high - follow->reference; /* in half steps */
    range = 16 * (high - low);
    front_begin_block(follow);
    follow->blocks += follow->blocks < INT32_MAX;
    if (follow->blocks <= 2) { /* the first holds how the sensors started */
        follow->reference += follow->blocks == 2 ? error : 0;
        follow->widest = range;
        follow->range = range;
        return;
    }
    usual = range < follow->range ? range : follow->range; /* what happens once is no habit */
    follow->range = range;
    follow->widest = usual >= follow->widest ? usual : follow->widest - 1;
    if (range > follow->widest + FRONT_JUMP) {
        return;
    }
    jump = error > follow->last ? error - follow->last : follow->last - error;
    if (error > 2 * FRONT_LOSS_STEPS || error < -2 * FRONT_LOSS_STEPS ||
        jump > follow->widest / 8 + FRONT_JUMP / 4) {
        front_lost(state, front_half(error));
        return;
    }
    free = front_limit(follow->widest / 16 - 1, FRONT_FREE_STEPS);
    free = free > 2 ? free : 2;
    free = high > FRONT_NEAR_STEPS || low < -FRONT_NEAR_STEPS ? 0 : free;
    if (!follow->following && (error > 2 * free || error < -2 * free)) {
        follow->following = 1;
        follow->rate = front_limit(
            fixed_floor_divide(error * FRONT_FOLLOW_START, follow->blocks - 2), FRONT_RATE_LIMIT);
        early = (int32_t)fixed_shift_right((int64_t)follow->rate * (3 * PPG_STRIDE_STEPS),
                                           FRONT_ONE_BITS);
        follow->reference -= early; /* as in the middle of the second block, 3 s after the start */
        error += early;
    }
    follow->last = error;
    if (follow->following) {
        follow->rate = front_limit(follow->rate + error * FRONT_FOLLOW_RATE, FRONT_RATE_LIMIT);
        follow->correction =
            front_limit(follow->rate + error * FRONT_FOLLOW_LEAD, 2 * FRONT_RATE_LIMIT);
    }
}
#endif

/* What a push returns. */
static int front_due(ppg_state_t *state)
{
#if FRONT_ACC
    front_follow(state);
    if (state->ppg_clock.need <= 0 && state->acc_clock.need <= 0) {
        state->acc_clock.need += PPG_STRIDE_STEPS;
#else
    if (state->ppg_clock.need <= 0) {
#endif
        state->ppg_clock.need += PPG_STRIDE_STEPS;
        state->ready = FRONT_READY;
        return 1;
    }
#if FRONT_ACC
    if (state->follow.lost) {
        state->follow.lost = 0;
        return PPG_ERROR_OUT_OF_STEP;
    }
#endif
    return 0;
}

/* A sensor's first sample, or its first after lost ones. */
static void front_begin(
    ppg_state_t *state, int acceleration, ppg_lane_t *lanes, ppg_clock_t *clock)
{
    const int count = acceleration ? 3 : PPG_PPG_CHANNELS;
    int lane;
#if FRONT_ACC
    if (clock->started == FRONT_LOST) { /* it goes on where it would be without the loss */
        const int32_t apart = front_apart(state);
        front_stand_in(state, acceleration, acceleration ? -apart : apart);
        front_begin_block(&state->follow);
    }
#else
    (void)state;
#endif
    for (lane = 0; lane < count; lane++) {
        front_rest(&lanes[lane]);
        front_rest(&lanes[lane]);
#if FRONT_TWO_STAGES
        lanes[lane].stream = 0;
#endif
    }
    clock->started = 1;
    clock->gap = front_sensors[acceleration].hold;
    clock->due = 0;
#if FRONT_TWO_STAGES
    clock->stream_due = 0;
    clock->stream_invalid = 1;
#endif
}

/* One sample through the filters of a sensor; none: an invalid one. */
static void front_feed(
    const front_sensor_t *by, int count, ppg_lane_t *lanes, ppg_clock_t *clock,
    const int32_t *sample)
{
    const int ended = clock->gap + !sample >= by->hold;
    int lane;
    for (lane = 0; lane < count; lane++) {
        if (!ended) {
            front_filter(&lanes[lane], by, sample ? sample[lane] : lanes[lane].x1);
        } else if (sample) {
            front_start(&lanes[lane], sample[lane]);
        } else {
            front_rest(&lanes[lane]);
        }
    }
    if (sample) {
        clock->gap = 0;
    } else if (clock->gap < by->hold) {
        clock->gap++;
    }
}

/* Output samples between two filtered ones. `due` is where the next one stands after the later,
 * in units of 2^-24 / grid samples; nothing here grows, so the clock never drifts or overflows. */
static void front_push(
    ppg_state_t *state, int acceleration, ppg_lane_t *lanes, ppg_clock_t *clock,
    const int32_t *sample)
{
    const front_sensor_t *const by = &front_sensors[acceleration];
    const int count = acceleration ? 3 : PPG_PPG_CHANNELS;
    const int64_t whole = by->grid * FRONT_ONE;
    int64_t pace = FRONT_ONE;
    int64_t y[3];
    int unsure;
    int lane;
    if (clock->started == 1) {
        clock->due -= whole;
    } else {
        front_begin(state, acceleration, lanes, clock);
    }
    unsure = clock->gap > 0;
    front_feed(by, count, lanes, clock, sample);
#if FRONT_ACC
    pace += acceleration ? state->follow.correction : 0;
#endif
    while (clock->due <= 0) {
        const int64_t part = clock->due + whole;
        const int invalid = !sample || (unsure && part < whole);
#if FRONT_TWO_STAGES
        int64_t before[3];
        int64_t after[3];
        for (lane = 0; lane < count; lane++) {
            before[lane] = lanes[lane].stream;
            after[lane] = front_between(lanes[lane].w2, lanes[lane].w1, part, by->grid);
            lanes[lane].stream = after[lane];
        }
        while (clock->stream_due <= 0) {
            const int32_t stream_part = clock->stream_due + FRONT_STREAM_GRID;
            for (lane = 0; lane < count; lane++) {
                y[lane] = front_between(before[lane], after[lane],
                                        stream_part * FRONT_ONE, FRONT_STREAM_GRID);
            }
            front_store(state, acceleration, y,
                        invalid || (clock->stream_invalid && stream_part < FRONT_STREAM_GRID));
            clock->stream_due += FRONT_STREAM_STEP;
        }
        clock->stream_due -= FRONT_STREAM_GRID;
        clock->stream_invalid = invalid;
#else
        for (lane = 0; lane < count; lane++) {
            y[lane] = front_between(lanes[lane].w2, lanes[lane].w1, part, by->grid);
        }
        front_store(state, acceleration, y, invalid);
#endif
        clock->due += by->step * pace;
    }
}

static int front_is_reset(const ppg_state_t *state)
{
    return state->ready == FRONT_RESET || state->ready == FRONT_READY;
}

/* One sample of either sensor, unless another push is under way. */
static int front_take_sample(ppg_state_t *state, int acceleration, const int32_t *sample)
{
    const uint32_t pushes = state->pushes;
    int status;
    if ((pushes & 1u) != 0u) {
        return PPG_ERROR_BUSY;
    }
    state->pushes = pushes + 1u;
    FRONT_BARRIER();
#if FRONT_ACC
    if (acceleration) {
        front_push(state, 1, state->acc_lane, &state->acc_clock, sample);
    } else {
        front_push(state, 0, state->ppg_lane, &state->ppg_clock, sample);
    }
#else
    front_push(state, acceleration, state->ppg_lane, &state->ppg_clock, sample);
#endif
    status = front_due(state);
    FRONT_BARRIER();
    state->pushes = pushes + 2u;
    return status;
}

int ppg_push_ppg(ppg_state_t *state, const int32_t *sample)
{
    return front_is_reset(state) ? front_take_sample(state, 0, sample) : PPG_ERROR_NOT_RESET;
}
#if FRONT_ACC

int ppg_push_acc(ppg_state_t *state, const int16_t *sample)
{
    int32_t wide[3] = {0, 0, 0};
    int axis;
    if (!front_is_reset(state)) {
        return PPG_ERROR_NOT_RESET;
    }
    for (axis = 0; axis < 3 && sample; axis++) {
        wide[axis] = sample[axis];
    }
    return front_take_sample(state, 1, sample ? wide : 0);
}
#endif

