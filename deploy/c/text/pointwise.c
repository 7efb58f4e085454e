/* ---- dot products: 16-bit inputs of one or four positions against packed int8 weights -------- */

/* A word of weights holds two taps of two outputs: bytes 0 and 2 of the first, 1 and 3 of the
 * second. `requant` holds two biases, then two factors, for each pair of outputs. */

/* Four bytes of four positions, `step` bytes apart, as words of two halves: bytes 0 and 2, then
 * bytes 1 and 3; the words of the four positions stand side by side. */
PPG_INLINE void widen4(const int8_t *from, int step, int taps, uint32_t *to)
{
    for (int tap = 0; tap < taps; tap += 4) {
        const uint32_t a = load32(from);
        const uint32_t b = load32(from + step);
        const uint32_t c = load32(from + 2 * step);
        const uint32_t d = load32(from + 3 * step);
        to[0] = widen(a);
        to[1] = widen(b);
        to[2] = widen(c);
        to[3] = widen(d);
        to[4] = widen_odd(a);
        to[5] = widen_odd(b);
        to[6] = widen_odd(c);
        to[7] = widen_odd(d);
        from += 4;
        to += 8;
    }
}

PPG_INLINE void widen1(const int8_t *from, int taps, uint32_t *to)
{
    for (int tap = 0; tap < taps; tap += 4) {
        const uint32_t a = load32(from);
        to[0] = widen(a);
        to[1] = widen_odd(a);
        from += 4;
        to += 2;
    }
}

/* What becomes of the accumulators of a layer. */
typedef struct {
    int32_t zero, low, high, lift;
} ending;

PPG_INLINE int32_t finish(int32_t sum, int32_t factor, ending end)
{
    return clamp(rescale(sum * (1 << end.lift), factor, end.zero), end.low, end.high);
}

/* An addition: (own * sum + other * shortcut + offset) >> shift, then the clamp. */
typedef struct {
    int32_t own, other, offset, shift, low, high;
} addition;

PPG_INLINE int32_t joined(int32_t value, int32_t shortcut, addition add)
{
    const int32_t sum = value * add.own + (shortcut * add.other + add.offset);
    return clamp(shift_right(sum, add.shift), add.low, add.high);
}

/* Where four positions lie: bytes from the first to the others, and from one pair of outputs to
 * the next. */
typedef struct {
    int32_t at1, at2, at3, pair;
} positions4;

/* All outputs of a layer at four positions, two at a time: the operands of `ppg_dot4_...`, which
 * reads them by their place. */
typedef struct {
    const uint32_t *inputs, *last; /* last: of the last word of a position */
    const int32_t *requant;
    const uint32_t *weights;
    int8_t *to; /* moves on, as `from` does: set before each call */
    positions4 at;
    const uint32_t *end; /* of the weights */
    int32_t zero, lift, low, high;
    const uint32_t *cursor;
    const int8_t *from; /* what is added lies in the layout `behind` */
    positions4 behind;
    addition add;
} block4;

PPG_INLINE void begin4(block4 *block, const uint32_t *inputs, const uint32_t *weights,
                       const int32_t *requant, int words, int outputs, ending end)
{
    block->inputs = inputs;
    block->last = inputs + 4 * (words - 1);
    block->requant = requant;
    block->weights = weights;
    block->end = weights + outputs / 2 * words;
    block->zero = end.zero;
    block->lift = end.lift;
    block->low = end.low;
    block->high = end.high;
}

#if defined(PPG_ASSEMBLY)

typedef char block4_is_as_the_assembly_reads_it
    [offsetof(block4, end) == 36 && sizeof(block4) == 104 ? 1 : -1];

#else

typedef struct {
    int32_t first[4], second[4]; /* accumulators of two outputs at four positions */
} sums4;

#if defined(__ARM_FEATURE_SIMD32) && !defined(PPG_PORTABLE)

PPG_INLINE sums4 dot4(const uint32_t *inputs, const uint32_t *weights, const int32_t *biases,
                      int words)
{
    int32_t a0 = biases[0], a1 = a0, a2 = a0, a3 = a0;
    int32_t b0 = biases[1], b1 = b0, b2 = b0, b3 = b0;
    do {
        const uint32_t w0 = widen(*weights);
        const uint32_t w1 = widen_odd(*weights++);
        a0 = dot2(inputs[0], w0, a0);
        b0 = dot2(inputs[0], w1, b0);
        a1 = dot2(inputs[1], w0, a1);
        b1 = dot2(inputs[1], w1, b1);
        a2 = dot2(inputs[2], w0, a2);
        b2 = dot2(inputs[2], w1, b2);
        a3 = dot2(inputs[3], w0, a3);
        b3 = dot2(inputs[3], w1, b3);
        inputs += 4;
    } while (--words != 0);
    const sums4 sums = {{a0, a1, a2, a3}, {b0, b1, b2, b3}};
    return sums;
}

#else

#if defined(PPG_NARROW)

/* Eight registers hold the sums of one position and no more. */
PPG_INLINE sums4 dot4(const uint32_t *inputs, const uint32_t *weights, const int32_t *biases,
                      int words)
{
    sums4 sums;
    for (int position = 0; position < 4; position++) {
        const uint32_t *x = inputs + position, *w = weights;
        int32_t a = biases[0], b = biases[1];
        int left = words;
        do {
            const int32_t in = (int32_t)*x, word = (int32_t)*w++;
            PPG_OPAQUE(left);
            a += (int16_t)in * (int8_t)word;
            b += (int16_t)in * (int8_t)(word >> 8);
            a += (in >> 16) * (int8_t)(word >> 16);
            b += (in >> 16) * (word >> 24);
            x += 4;
        } while (--left != 0);
        sums.first[position] = a;
        sums.second[position] = b;
    }
    return sums;
}

#else

/* A tap of one position: a half of its word. */
PPG_INLINE int32_t tap_of(const int8_t *word)
{
    int16_t tap;
    PPG_COPY(&tap, word, 2);
    return tap;
}

/* One tap at a time: two outputs at four positions, and what they read, fit the registers. */
PPG_INLINE sums4 dot4(const uint32_t *inputs, const uint32_t *weights, const int32_t *biases,
                      int words)
{
    const int8_t *x = (const int8_t *)inputs, *w = (const int8_t *)weights;
    const int8_t *const end = w + 4 * words;
    int32_t a0 = biases[0], a1 = a0, a2 = a0, a3 = a0;
    int32_t b0 = biases[1], b1 = b0, b2 = b0, b3 = b0;
    do {
        for (int tap = 0; tap < 2; tap++) {
            const int32_t wa = w[2 * tap], wb = w[2 * tap + 1];
            int32_t in = tap_of(x + 2 * tap);
            a0 += in * wa;
            b0 += in * wb;
            in = tap_of(x + 2 * tap + 4);
            a1 += in * wa;
            b1 += in * wb;
            in = tap_of(x + 2 * tap + 8);
            a2 += in * wa;
            b2 += in * wb;
            in = tap_of(x + 2 * tap + 12);
            a3 += in * wa;
            b3 += in * wb;
        }
        x += 16;
        w += 4;
    } while (w != end);
    const sums4 sums = {{a0, a1, a2, a3}, {b0, b1, b2, b3}};
    return sums;
}

#endif
#endif

/* `finish` and `joined` where the bounds are no constants: they lie within int8. */
PPG_INLINE int32_t bounded(int32_t value, int32_t low, int32_t high)
{
    value = value < low ? low : value;
    return value > high ? high : value;
}

PPG_INLINE int32_t finish4(int32_t sum, int32_t factor, ending end)
{
    return bounded(rescale(sum * (1 << end.lift), factor, end.zero), end.low, end.high);
}

PPG_INLINE int32_t joined4(int32_t value, int32_t shortcut, addition add)
{
    const int32_t sum = value * add.own + (shortcut * add.other + add.offset);
    return bounded(shift_right(sum, add.shift), add.low, add.high);
}

PPG_STEP void pointwise4(block4 *block, int words)
{
    const ending end = {block->zero, block->low, block->high, block->lift};
    const positions4 at = block->at;
    const int32_t *requant = block->requant;
    int8_t *to = block->to;
    for (const uint32_t *weights = block->weights; weights != block->end; weights += words) {
        const sums4 sums = dot4(block->inputs, weights, requant, words);
        to[0] = (int8_t)finish4(sums.first[0], requant[2], end);
        to[at.at1] = (int8_t)finish4(sums.first[1], requant[2], end);
        to[at.at2] = (int8_t)finish4(sums.first[2], requant[2], end);
        to[at.at3] = (int8_t)finish4(sums.first[3], requant[2], end);
        to[1] = (int8_t)finish4(sums.second[0], requant[3], end);
        to[at.at1 + 1] = (int8_t)finish4(sums.second[1], requant[3], end);
        to[at.at2 + 1] = (int8_t)finish4(sums.second[2], requant[3], end);
        to[at.at3 + 1] = (int8_t)finish4(sums.second[3], requant[3], end);
        requant += 4;
        to += at.pair;
    }
}

PPG_STEP void pointwise4_add(block4 *block, int words)
{
    const ending end = {block->zero, block->low, block->high, block->lift};
    const addition add = block->add;
    const positions4 at = block->at, behind = block->behind;
    const int32_t *requant = block->requant;
    const int8_t *from = block->from;
    int8_t *to = block->to;
    for (const uint32_t *weights = block->weights; weights != block->end; weights += words) {
        const sums4 sums = dot4(block->inputs, weights, requant, words);
        for (int side = 0; side < 2; side++) {
            const int32_t *own = side == 0 ? sums.first : sums.second;
            const int32_t by = requant[2 + side];
            int8_t *place = to + side;
            const int8_t *other = from + side;
            place[0] = (int8_t)joined4(finish4(own[0], by, end), other[0], add);
            place[at.at1] = (int8_t)joined4(finish4(own[1], by, end), other[behind.at1], add);
            place[at.at2] = (int8_t)joined4(finish4(own[2], by, end), other[behind.at2], add);
            place[at.at3] = (int8_t)joined4(finish4(own[3], by, end), other[behind.at3], add);
        }
        requant += 4;
        to += at.pair;
        from += behind.pair;
    }
}

#endif

/* Two outputs at one position, whose words are `apart` words apart. */
typedef struct {
    int32_t first, second;
} sums1;

PPG_INLINE sums1 dot1(const uint32_t *inputs, int apart, const uint32_t **at, int32_t first,
                      int32_t second, int words)
{
    const uint32_t *weights = *at;
    int rounds = words;
    PPG_OPAQUE(rounds);
    do {
        const uint32_t word = *weights++;
        first = dot2(*inputs, widen(word), first);
        second = dot2(*inputs, widen_odd(word), second);
        inputs += apart;
    } while (--rounds != 0);
    *at = weights;
    const sums1 sums = {first, second};
    return sums;
}

PPG_INLINE void pointwise1(const uint32_t *inputs, int apart, const uint32_t *weights,
                           const int32_t *requant, int words, int outputs, ending end, int8_t *to,
                           int pair)
{
    int left = outputs / 2;
    PPG_OPAQUE(left);
    do {
        const sums1 sums = dot1(inputs, apart, &weights, requant[0], requant[1], words);
        to[0] = (int8_t)finish(sums.first, requant[2], end);
        to[1] = (int8_t)finish(sums.second, requant[3], end);
        requant += 4;
        to += pair;
    } while (--left != 0);
}

PPG_INLINE void pointwise1_add(const uint32_t *inputs, int apart, const uint32_t *weights,
                               const int32_t *requant, int words, int outputs, ending end,
                               int8_t *to, int pair, const int8_t *from, int from_pair,
                               addition add)
{
    int left = outputs / 2;
    PPG_OPAQUE(left);
    do {
        const sums1 sums = dot1(inputs, apart, &weights, requant[0], requant[1], words);
        to[0] = (int8_t)joined(finish(sums.first, requant[2], end), from[0], add);
        to[1] = (int8_t)joined(finish(sums.second, requant[3], end), from[1], add);
        requant += 4;
        to += pair;
        from += from_pair;
    } while (--left != 0);
}
