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

typedef struct {
    int32_t first[4], second[4]; /* accumulators of two outputs at four positions */
} sums4;

#if defined(__ARM_FEATURE_SIMD32) && defined(__GNUC__) && !defined(PPG_PORTABLE) && \
    !defined(PPG_NO_ASSEMBLY)

/* One word of weights at four positions. Written out because compilers load early here and then
 * spill: with eight sums, two pointers and three values there is no register left. */
#if defined(PPG_NO_FRAME_POINTER) && defined(__clang__)

/* The same with two inputs a load: it takes every register that there is, which gcc does not
 * always grant ("impossible constraints"). */
#define PPG_DOT4(index)                                                                   \
    __asm__("ldr %[w1], [%[weights], %[at]]\n\t"                                          \
            "ldrd %[x], %[y], [%[inputs], %[x0]]\n\t"                                     \
            "sxtb16 %[w0], %[w1]\n\t"                                                     \
            "sxtb16 %[w1], %[w1], ror #8\n\t"                                             \
            "smlad %[a0], %[x], %[w0], %[a0]\n\t"                                         \
            "smlad %[b0], %[x], %[w1], %[b0]\n\t"                                         \
            "smlad %[a1], %[y], %[w0], %[a1]\n\t"                                         \
            "smlad %[b1], %[y], %[w1], %[b1]\n\t"                                         \
            "ldrd %[x], %[y], [%[inputs], %[x2]]\n\t"                                     \
            "smlad %[a2], %[x], %[w0], %[a2]\n\t"                                         \
            "smlad %[b2], %[x], %[w1], %[b2]\n\t"                                         \
            "smlad %[a3], %[y], %[w0], %[a3]\n\t"                                         \
            "smlad %[b3], %[y], %[w1], %[b3]"                                             \
            : [a0] "+r"(a0), [a1] "+r"(a1), [a2] "+r"(a2), [a3] "+r"(a3), [b0] "+r"(b0),  \
              [b1] "+r"(b1), [b2] "+r"(b2), [b3] "+r"(b3), [w0] "=&r"(w0),                \
              [w1] "=&r"(w1), [x] "=&r"(x), [y] "=&r"(y)                                  \
            : [inputs] "r"(inputs), [weights] "r"(weights), [at] "n"(4 * (index)),        \
              [x0] "n"(16 * (index)), [x2] "n"(16 * (index) + 8)                          \
            : "memory")

#define PPG_DOT4_VALUES uint32_t w0, w1, x, y

#else

#define PPG_DOT4(index)                                                                   \
    __asm__("ldr %[w1], [%[weights], %[at]]\n\t"                                          \
            "ldr %[x], [%[inputs], %[x0]]\n\t"                                            \
            "sxtb16 %[w0], %[w1]\n\t"                                                     \
            "sxtb16 %[w1], %[w1], ror #8\n\t"                                             \
            "smlad %[a0], %[x], %[w0], %[a0]\n\t"                                         \
            "smlad %[b0], %[x], %[w1], %[b0]\n\t"                                         \
            "ldr %[x], [%[inputs], %[x1]]\n\t"                                            \
            "smlad %[a1], %[x], %[w0], %[a1]\n\t"                                         \
            "smlad %[b1], %[x], %[w1], %[b1]\n\t"                                         \
            "ldr %[x], [%[inputs], %[x2]]\n\t"                                            \
            "smlad %[a2], %[x], %[w0], %[a2]\n\t"                                         \
            "smlad %[b2], %[x], %[w1], %[b2]\n\t"                                         \
            "ldr %[x], [%[inputs], %[x3]]\n\t"                                            \
            "smlad %[a3], %[x], %[w0], %[a3]\n\t"                                         \
            "smlad %[b3], %[x], %[w1], %[b3]"                                             \
            : [a0] "+r"(a0), [a1] "+r"(a1), [a2] "+r"(a2), [a3] "+r"(a3), [b0] "+r"(b0),  \
              [b1] "+r"(b1), [b2] "+r"(b2), [b3] "+r"(b3), [w0] "=&r"(w0),                \
              [w1] "=&r"(w1), [x] "=&r"(x)                                                \
            : [inputs] "r"(inputs), [weights] "r"(weights), [at] "n"(4 * (index)),        \
              [x0] "n"(16 * (index)), [x1] "n"(16 * (index) + 4),                         \
              [x2] "n"(16 * (index) + 8), [x3] "n"(16 * (index) + 12)                     \
            : "memory")

#define PPG_DOT4_VALUES uint32_t w0, w1, x

#endif

#else

#define PPG_DOT4(index)                                   \
    do {                                                  \
        const uint32_t word = weights[index];             \
        const uint32_t w0 = widen(word);                  \
        const uint32_t w1 = widen_odd(word);            \
        PPG_ORDER();                                      \
        const uint32_t a = inputs[4 * (index)];           \
        a0 = dot2(a, w0, a0);                             \
        b0 = dot2(a, w1, b0);                             \
        PPG_ORDER();                                      \
        const uint32_t b = inputs[4 * (index) + 1];       \
        a1 = dot2(b, w0, a1);                             \
        b1 = dot2(b, w1, b1);                             \
        PPG_ORDER();                                      \
        const uint32_t c = inputs[4 * (index) + 2];       \
        a2 = dot2(c, w0, a2);                             \
        b2 = dot2(c, w1, b2);                             \
        PPG_ORDER();                                      \
        const uint32_t d = inputs[4 * (index) + 3];       \
        a3 = dot2(d, w0, a3);                             \
        b3 = dot2(d, w1, b3);                             \
        PPG_ORDER();                                      \
    } while (0)

#define PPG_DOT4_VALUES (void)0

#endif

/* The words that are left over by rounds of four come first, or a round where none are: they need
 * no copies of the biases. Short dot products have no loop. `*at` moves on to the next outputs. */
PPG_INLINE sums4 dot4(const uint32_t *inputs, const uint32_t **at, int32_t first, int32_t second,
                      int words)
{
    const uint32_t *weights = *at;
    int32_t a0 = first, a1 = first, a2 = first, a3 = first;
    int32_t b0 = second, b1 = second, b2 = second, b3 = second;
    const int ahead = words % 4 == 0 ? 4 : words % 4;
    int rounds = (words - ahead) / 4;
    PPG_DOT4_VALUES;
    PPG_DOT4(0);
    if (ahead > 1) {
        PPG_DOT4(1);
    }
    if (ahead > 2) {
        PPG_DOT4(2);
    }
    if (ahead > 3) {
        PPG_DOT4(3);
    }
    inputs += 4 * ahead;
    weights += ahead;
    if (rounds > 1) {
        PPG_OPAQUE(rounds);
    }
    if (words > ahead) {
        do {
            PPG_DOT4(0);
            PPG_DOT4(1);
            PPG_DOT4(2);
            PPG_DOT4(3);
            inputs += 16;
            weights += 4;
        } while (--rounds != 0);
    }
    *at = weights;
    const sums4 sums = {{a0, a1, a2, a3}, {b0, b1, b2, b3}};
    return sums;
}

/* What becomes of the accumulators of a layer. */
typedef struct {
    int32_t zero, low, high;
    int lift;
} ending;

PPG_INLINE int32_t finish(int32_t sum, int32_t factor, ending end)
{
    return clamp(rescale(sum * (1 << end.lift), factor, end.zero), end.low, end.high);
}

/* Where four positions lie: bytes from the first to the others, and from one pair of outputs to
 * the next. */
typedef struct {
    int at1, at2, at3, pair;
} positions4;

/* All outputs of a layer at four positions. */
PPG_INLINE void pointwise4(const uint32_t *inputs, const uint32_t *weights,
                           const int32_t *requant, int words, int outputs, ending end, int8_t *to,
                           positions4 p)
{
    int left = outputs / 2;
    PPG_OPAQUE(left);
    do {
        const sums4 sums = dot4(inputs, &weights, requant[0], requant[1], words);
        int32_t factor = PPG_LATE(requant[2]);
        to[0] = (int8_t)finish(sums.first[0], factor, end);
        to[p.at1] = (int8_t)finish(sums.first[1], factor, end);
        to[p.at2] = (int8_t)finish(sums.first[2], factor, end);
        to[p.at3] = (int8_t)finish(sums.first[3], factor, end);
        factor = PPG_LATE(requant[3]);
        to[1] = (int8_t)finish(sums.second[0], factor, end);
        to[p.at1 + 1] = (int8_t)finish(sums.second[1], factor, end);
        to[p.at2 + 1] = (int8_t)finish(sums.second[2], factor, end);
        to[p.at3 + 1] = (int8_t)finish(sums.second[3], factor, end);
        requant += 4;
        to += p.pair;
    } while (--left != 0);
}

/* An addition: (own * sum + other * shortcut + offset) >> shift, then the clamp. */
typedef struct {
    int32_t own, other, offset, low, high;
    int shift;
} addition;

PPG_INLINE int32_t joined(int32_t value, int32_t shortcut, addition add)
{
    const int32_t sum = value * add.own + (shortcut * add.other + add.offset);
    return clamp(shift_right(sum, add.shift), add.low, add.high);
}

/* The same with the block's input added, which lies at `from` in the layout `q`. */
PPG_INLINE void pointwise4_add(const uint32_t *inputs, const uint32_t *weights,
                               const int32_t *requant, int words, int outputs, ending end,
                               int8_t *to, positions4 p, const int8_t *from, positions4 q,
                               addition add)
{
    int left = outputs / 2;
    PPG_OPAQUE(left);
    do {
        const sums4 sums = dot4(inputs, &weights, requant[0], requant[1], words);
        int32_t factor = PPG_LATE(requant[2]);
        to[0] = (int8_t)joined(finish(sums.first[0], factor, end), from[0], add);
        to[p.at1] = (int8_t)joined(finish(sums.first[1], factor, end), from[q.at1], add);
        to[p.at2] = (int8_t)joined(finish(sums.first[2], factor, end), from[q.at2], add);
        to[p.at3] = (int8_t)joined(finish(sums.first[3], factor, end), from[q.at3], add);
        factor = PPG_LATE(requant[3]);
        to[1] = (int8_t)joined(finish(sums.second[0], factor, end), from[1], add);
        to[p.at1 + 1] = (int8_t)joined(finish(sums.second[1], factor, end), from[q.at1 + 1], add);
        to[p.at2 + 1] = (int8_t)joined(finish(sums.second[2], factor, end), from[q.at2 + 1], add);
        to[p.at3 + 1] = (int8_t)joined(finish(sums.second[3], factor, end), from[q.at3 + 1], add);
        requant += 4;
        to += p.pair;
        from += q.pair;
    } while (--left != 0);
}

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
