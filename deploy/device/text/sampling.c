static void front_clear(ppg_clock_t *clock)
{
    clock->need = PPG_STEPS;
    clock->at = 0;
    clock->started = 0;
    clock->gap = 1;
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
    state->quiet = 0;
    state->ready = FRONT_RESET;
}

static int32_t front_after(int32_t at)
{
    return at + 1 < PPG_RING_STEPS ? at + 1 : 0;
}

static void front_mark(uint32_t *marks, int32_t at, int invalid)
{
    const uint32_t bit = (uint32_t)1 << ((uint32_t)at & 31u);
    marks += (uint32_t)at / 32;
    *marks = invalid ? *marks | bit : *marks & ~bit;
}

static void front_store_lanes(
    ppg_clock_t *clock, int16_t *ring, uint32_t *marks, int count, const int32_t *y, int invalid)
{
    const int32_t at = clock->at;
    int lane;
    for (lane = 0; lane < count; lane++) {
        ring[at * count + lane] = front_pack(y[lane]);
    }
    front_mark(marks, at, invalid);
    clock->at = front_after(at);
    clock->need--;
}

/* One output sample of a sensor, at the rate of the network. */
static void front_store(ppg_state_t *state, int acceleration, const int32_t *y, int invalid)
{
#if FRONT_ACC
    if (acceleration) {
        state->quiet = 0;
        front_store_lanes(&state->acc_clock, state->acc_ring[0], state->acc_marks, 3, y, invalid);
        return;
    }
    state->follow.left--;
#else
    (void)acceleration;
#endif
    state->quiet = 0;
    front_store_lanes(&state->ppg_clock, state->ppg_ring[0], state->ppg_marks, PPG_PPG_CHANNELS, y,
                      invalid);
}
#if FRONT_ACC

/* Output samples that the acceleration is ahead of the PPG. */
static int32_t front_lead(const ppg_state_t *state)
{
    return state->ppg_clock.need - state->acc_clock.need;
}

/* How far the lead is outside its usual swing. */
static int32_t front_apart(const ppg_state_t *state)
{
    const int32_t lead = front_lead(state);
    const int32_t middle = state->follow.reference >> 1;
    const int32_t swing = front_clip(state->follow.widest / 32, FRONT_SWING_STEPS);
    const int32_t high = front_clip(middle + swing, PPG_SLACK_STEPS);
    const int32_t low = front_clip(middle - swing, PPG_SLACK_STEPS);
    if (lead > high) {
        return lead - high;
    }
    return lead < low ? lead - low : 0;
}

/* Invalid output samples in the place of lost ones; the sensor's next sample is a first one. */
static void front_stand_in(ppg_state_t *state, int acceleration, int32_t count)
{
    const int32_t rest[3] = {0, 0, 0};
    ppg_clock_t *const clock = acceleration ? &state->acc_clock : &state->ppg_clock;
    clock->started = FRONT_LOST;
    clock->gap = 1;
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

/* floor(a / b), b > 0. */
static int32_t front_floor_divide(int32_t a, int32_t b)
{
    return a / b - (a % b < 0);
}

/* Keeps the acceleration as far ahead of the PPG as it was at first: its clock runs freely. */
static PPG_APART void front_follow(ppg_state_t *state)
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
        front_lost(state, error >> 1);
        return;
    }
    free = front_clip(follow->widest / 16 - 1, FRONT_FREE_STEPS);
    free = free > 2 ? free : 2;
    free = high > FRONT_NEAR_STEPS || low < -FRONT_NEAR_STEPS ? 0 : free;
    if (!follow->following && (error > 2 * free || error < -2 * free)) {
        follow->following = 1;
        follow->rate = front_clip(
            front_floor_divide(error * FRONT_FOLLOW_START, follow->blocks - 2), FRONT_RATE_LIMIT);
        early = follow->rate * (3 * PPG_STRIDE_STEPS) >> FRONT_ONE_BITS;
        follow->reference -= early; /* as in the middle of the second block, 3 s after the start */
        error += early;
    }
    follow->last = error;
    if (follow->following) {
        follow->rate = front_clip(follow->rate + error * FRONT_FOLLOW_RATE, FRONT_RATE_LIMIT);
        follow->correction =
            front_clip(follow->rate + error * FRONT_FOLLOW_LEAD, 2 * FRONT_RATE_LIMIT);
    }
}
#endif

/* What a push returns. */
static PPG_APART int front_due(ppg_state_t *state)
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
    state->quiet = state->follow.low <= state->follow.high; /* no new block has begun */
#else
    state->quiet = 1;
#endif
    return 0;
}

/* A sensor's first sample, or its first after lost ones. */
static PPG_SMALL PPG_APART void front_begin(
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
#if FRONT_ACC
    clock->fine = 0;
#endif
#if FRONT_TWO_STAGES
    clock->stream_due = 0;
    clock->stream_invalid = 1;
#endif
}

/* An invalid sample, or the first valid one after the end of a signal, through the filters. */
static PPG_SMALL PPG_APART void front_feed(
    const front_sensor_t *by, int count, ppg_lane_t *lanes, ppg_clock_t *clock,
    const int32_t *sample)
{
    const int ended = clock->gap + !sample >= by->hold;
    int lane;
    for (lane = 0; lane < count; lane++) {
        if (!ended) {
            front_filter_lanes(&lanes[lane], by, sample ? &sample[lane] : &lanes[lane].x1, 1);
        } else if (sample) {
            front_start(&lanes[lane], by, sample[lane]);
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

/* Output samples between two filtered ones. `due`, and with another clock 2^-24 `fine`, is where the
 * next one stands after the later, in units of 1 / grid samples; nothing here grows, so the clock
 * never drifts or overflows. `invalid`: the later one is; `unsure`: the earlier one. */
static PPG_APART void front_put(
    ppg_state_t *state, int acceleration, ppg_lane_t *lanes, ppg_clock_t *clock, int later,
    int unsure)
{
    const front_sensor_t *const by = &front_sensors[acceleration];
    const int count = acceleration ? 3 : PPG_PPG_CHANNELS;
    int32_t y[3];
    int lane;
    do {
        const int32_t part = clock->due + by->grid;
        const int invalid = later || (unsure && part < by->grid);
        uint32_t share = (uint32_t)part * by->share;
#if FRONT_ACC
        share += (uint32_t)(((uint64_t)clock->fine * by->share) >> FRONT_ONE_BITS);
#endif
#if FRONT_TWO_STAGES
        int32_t before[3];
        for (lane = 0; lane < count; lane++) {
            const ppg_section_t *const from = &lanes[lane].high;
            before[lane] = lanes[lane].stream;
            lanes[lane].stream =
                part < by->grid ? front_between(from->y2, from->y1, share) : from->y1;
        }
        while (clock->stream_due <= 0) {
            const int32_t stream_part = clock->stream_due + FRONT_STREAM_GRID;
            for (lane = 0; lane < count; lane++) {
                y[lane] = lanes[lane].stream;
                if (stream_part < FRONT_STREAM_GRID) {
                    y[lane] = front_between(before[lane], y[lane],
                                            (uint32_t)stream_part * FRONT_STREAM_SHARE);
                }
            }
            front_store(state, acceleration, y,
                        invalid || (clock->stream_invalid && stream_part < FRONT_STREAM_GRID));
            clock->stream_due += FRONT_STREAM_STEP;
        }
        clock->stream_due -= FRONT_STREAM_GRID;
        clock->stream_invalid = invalid;
#else
        for (lane = 0; lane < count; lane++) {
            const ppg_section_t *const from = &lanes[lane].high;
            y[lane] = part < by->grid ? front_between(from->y2, from->y1, share) : from->y1;
        }
        front_store(state, acceleration, y, invalid);
#endif
        clock->due += by->step;
#if FRONT_ACC
        if (acceleration) {
            const int64_t ahead = (int64_t)by->step * state->follow.correction + clock->fine;
            clock->due += (int32_t)(ahead >> FRONT_ONE_BITS);
            clock->fine = (uint32_t)ahead & ((1u << FRONT_ONE_BITS) - 1u);
        }
    } while (clock->due < 0 || (clock->due == 0 && clock->fine == 0));
#else
    } while (clock->due <= 0);
#endif
}

/* A sensor's first sample, an invalid one, or one after such: whether the last was invalid. */
static PPG_SMALL PPG_APART int front_resume(
    ppg_state_t *state, int acceleration, ppg_lane_t *lanes, ppg_clock_t *clock,
    const int32_t *sample)
{
    const front_sensor_t *const by = &front_sensors[acceleration];
    int unsure;
    if (clock->started == 1) {
        clock->due -= by->grid;
    } else {
        front_begin(state, acceleration, lanes, clock);
    }
    unsure = clock->gap > 0;
    front_feed(by, acceleration ? 3 : PPG_PPG_CHANNELS, lanes, clock, sample);
    return unsure;
}

static PPG_INSIDE int front_push(
    ppg_state_t *state, int acceleration, ppg_lane_t *lanes, ppg_clock_t *clock,
    const int32_t *sample)
{
    const front_sensor_t *const by = &front_sensors[acceleration];
    int unsure = 0;
    if (sample && clock->gap == 0) {
        clock->due -= by->grid;
        front_filter_lanes(lanes, by, sample, acceleration ? 3 : PPG_PPG_CHANNELS);
    } else {
        unsure = front_resume(state, acceleration, lanes, clock, sample);
    }
#if FRONT_ACC
    if (clock->due < 0 || (clock->due == 0 && clock->fine == 0)) {
#else
    if (clock->due <= 0) {
#endif
        front_put(state, acceleration, lanes, clock, !sample, unsure);
    }
    return state->quiet ? 0 : front_due(state);
}

/* One sample of either sensor, unless another push is under way. */
static PPG_INSIDE int front_take_sample(
    ppg_state_t *state, int acceleration, const int32_t *sample)
{
    const uint32_t pushes = state->pushes;
    int status;
    if (state->ready != FRONT_RESET && state->ready != FRONT_READY) {
        return PPG_ERROR_NOT_RESET;
    }
    if ((pushes & 1u) != 0u) {
        return PPG_ERROR_BUSY;
    }
    state->pushes = pushes + 1u;
    FRONT_BARRIER();
#if FRONT_ACC
    if (acceleration) {
        status = front_push(state, 1, state->acc_lane, &state->acc_clock, sample);
    } else {
        status = front_push(state, 0, state->ppg_lane, &state->ppg_clock, sample);
    }
#else
    status = front_push(state, acceleration, state->ppg_lane, &state->ppg_clock, sample);
#endif
    FRONT_BARRIER();
    state->pushes = pushes + 2u;
    return status;
}

int ppg_push_ppg(ppg_state_t *state, const int32_t *sample)
{
    int32_t within[PPG_PPG_CHANNELS];
    int lane;
    for (lane = 0; lane < PPG_PPG_CHANNELS && sample; lane++) {
        within[lane] = sample[lane];
        if (PPG_SELDOM((uint32_t)within[lane] + 0x8000000u > 0xfffffffu)) {
            within[lane] = front_clip(within[lane], FRONT_LARGEST_SAMPLE);
        }
    }
    return front_take_sample(state, 0, sample ? within : 0);
}
#if FRONT_ACC

int ppg_push_acc(ppg_state_t *state, const int16_t *sample)
{
    int32_t wide[3];
    int axis;
    for (axis = 0; axis < 3 && sample; axis++) {
        wide[axis] = sample[axis];
    }
    return front_take_sample(state, 1, sample ? wide : 0);
}
#endif
