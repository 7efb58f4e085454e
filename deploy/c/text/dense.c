/* ---- the head: one position, four outputs at a time where 4 divides them ---------------------- */

#define PPG_DENSE(index)                        \
    do {                                        \
        const uint32_t x = input[index];        \
        const uint32_t word = weights[index];   \
        const uint32_t next = others[index];    \
        a = dot2(x, widen(word), a);            \
        b = dot2(x, widen_odd(word), b);        \
        c = dot2(x, widen(next), c);            \
        d = dot2(x, widen_odd(next), d);        \
        PPG_ORDER();                            \
    } while (0)

PPG_INLINE void dense4(const uint32_t *inputs, const uint32_t *weights, const int32_t *requant,
                       int words, int outputs, ending end, int8_t *to)
{
    const int ahead = words % 4 == 0 ? 4 : words % 4;
    int left = outputs / 4;
    PPG_OPAQUE(left);
    do {
        int32_t a = requant[0], b = requant[1], c = requant[4], d = requant[5];
        const uint32_t *input = inputs;
        const uint32_t *others = weights + words;
        int rounds = (words - ahead) / 4;
        PPG_DENSE(0);
        if (ahead > 1) {
            PPG_DENSE(1);
        }
        if (ahead > 2) {
            PPG_DENSE(2);
        }
        if (ahead > 3) {
            PPG_DENSE(3);
        }
        input += ahead;
        weights += ahead;
        others += ahead;
        if (rounds > 1) {
            PPG_OPAQUE(rounds);
        }
        if (words > ahead) {
            do {
                PPG_DENSE(0);
                PPG_DENSE(1);
                PPG_DENSE(2);
                PPG_DENSE(3);
                input += 4;
                weights += 4;
                others += 4;
            } while (--rounds != 0);
        }
        weights = others;
        to[0] = (int8_t)finish(a, requant[2], end);
        to[1] = (int8_t)finish(b, requant[3], end);
        to[2] = (int8_t)finish(c, requant[6], end);
        to[3] = (int8_t)finish(d, requant[7], end);
        requant += 8;
        to += 4;
    } while (--left != 0);
}
