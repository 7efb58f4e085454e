/* ---- LSTM: four gates over a step's inputs and the outputs before it, int16 between ---------- */

/* `curve` [256]: sigmoid(n / 24) as 16-bit fractions; times 2^bits, between two of them. */
PPG_INLINE int32_t on_curve(const uint16_t *curve, int32_t at, int bits)
{
    const int32_t place = at >> bits, first = curve[place];
    return first * (1 << bits) + (at & ((1 << bits) - 1)) * (curve[place + 1] - first);
}

/* 12 bits behind the point of `x`, 15 behind that of the result. */
PPG_INLINE int32_t sigmoid16(const uint16_t *curve, int32_t x)
{
    const int32_t at = 3 * (x < 0 ? -x : x);
    const int32_t found = at >> 9 >= 255 ? 32767 * 1024 : on_curve(curve, at, 9);
    return (x < 0 ? (1 << 25) - found + 511 : found + 512) >> 10;
}

/* As above, with `12 - left` bits behind the point of `x`. */
PPG_INLINE int32_t tanh16(const uint16_t *curve, int32_t x, int left)
{
    const int32_t scaled =
        left < 0 ? (3 * x + (1 << (-left - 1))) >> -left : 3 * x * (1 << (left < 0 ? 0 : left));
    const int32_t at = scaled < 0 ? -scaled : scaled;
    const int32_t found = (at >> 8 >= 255 ? 65535 * 256 : on_curve(curve, at, 8)) - (1 << 23);
    return (scaled < 0 ? -found + 127 : found + 128) >> 8;
}

/* `clamp` is of int8. */
PPG_INLINE int32_t within(int32_t x, int32_t low, int32_t high)
{
    return x < low ? low : x > high ? high : x;
}

PPG_INLINE int32_t word16(int32_t x)
{
    return within(x, -32768, 32767);
}

/* The dot product of a row of weights. */
PPG_INLINE int32_t along(const int8_t *weights, const int8_t *from, int count, int32_t base)
{
    int32_t sum = 0;
    for (int i = 0; i < count; i++) {
        sum += weights[i] * (from[i] - base);
    }
    return sum;
}

/* Rescaling: `[gate][inputs, outputs before][factor, shift]`; that of the output, `hidden` and
 * `shift`; the cell state's scale is 2^(left - 12). */
typedef struct {
    int steps, inputs, units;
    int32_t base, zero, hidden;
    int shift, left;
    int32_t clip;
} lstm_t;

/* `weights` [4 units][inputs, units], gates in the order input, forget, cell, output. */
PPG_INLINE void plain_lstm(const int8_t *from, int8_t *to, int16_t *cells, const int8_t *weights,
                           const int32_t *bias, const int32_t *by, const uint16_t *curve,
                           const lstm_t s, int32_t low, int32_t high)
{
    int16_t *gates = cells + s.units;
    for (int u = 0; u < s.units; u++) {
        cells[u] = 0;
    }
    for (int step = 0; step < s.steps; step++) {
        const int8_t *w = weights;
        for (int row = 0; row < 4 * s.units; row++) {
            const int gate = row / s.units;
            const int32_t *f = by + 4 * gate;
            const int32_t own = bias[row] + along(w, from, s.inputs, s.base);
            const int32_t back =
                step ? along(w + s.inputs, to - s.units, s.units, s.zero) : 0;
            const int32_t sum = word16(word16(rescaled(own, f[0], (int)f[1])) +
                                       word16(rescaled(back, f[2], (int)f[3])));
            gates[row] = (int16_t)(gate == 2 ? tanh16(curve, sum, 0) : sigmoid16(curve, sum));
            w += s.inputs + s.units;
        }
        for (int u = 0; u < s.units; u++) {
            const int32_t kept = rescaled(gates[s.units + u] * cells[u], 1 << 30, -14);
            const int32_t made =
                rescaled(gates[u] * gates[2 * s.units + u], 1 << 30, -17 - s.left);
            const int32_t cell = within(word16(word16(kept) + word16(made)), -s.clip, s.clip);
            const int32_t out = gates[3 * s.units + u] * tanh16(curve, cell, s.left);
            cells[u] = (int16_t)cell;
            to[u] = (int8_t)clamp(rescaled(out, s.hidden, s.shift) + s.zero, low, high);
        }
        from += s.inputs;
        to += s.units;
    }
}
