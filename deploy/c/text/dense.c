/* ---- the head: one position, four outputs at a time where 4 divides them ---------------------- */

PPG_INLINE void dense4(const uint32_t *inputs, const uint32_t *weights, const int32_t *requant,
                       int taps, int outputs, ending end, int8_t *to)
{
    int left = outputs / 4;
    PPG_OPAQUE(left);
    do {
        int32_t a = requant[0], b = requant[1], c = requant[4], d = requant[5];
        const uint32_t *input = inputs;
        int rounds = taps / 4;
        PPG_OPAQUE(rounds);
        do {
            uint32_t word = weights[0];
            uint32_t next = weights[taps / 2];
            uint32_t x = input[0];
            a = dot2(x, widen(word), a);
            b = dot2(x, widen_odd(word), b);
            c = dot2(x, widen(next), c);
            d = dot2(x, widen_odd(next), d);
            PPG_ORDER();
            word = weights[1];
            next = weights[taps / 2 + 1];
            x = input[1];
            a = dot2(x, widen(word), a);
            b = dot2(x, widen_odd(word), b);
            c = dot2(x, widen(next), c);
            d = dot2(x, widen_odd(next), d);
            PPG_ORDER();
            weights += 2;
            input += 2;
        } while (--rounds != 0);
        weights += taps / 2;
        to[0] = (int8_t)finish(a, requant[2], end);
        to[1] = (int8_t)finish(b, requant[3], end);
        to[2] = (int8_t)finish(c, requant[6], end);
        to[3] = (int8_t)finish(d, requant[7], end);
        requant += 8;
        to += 4;
    } while (--left != 0);
}
