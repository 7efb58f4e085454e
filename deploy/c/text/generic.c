/* ---- any other layer: plain loops over [height][width][channels], no padding stored ----------- */

typedef struct {
    int in_h, in_w, in_c, out_h, out_w, out_c;
    int kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, top, left, groups;
} shape_t;

PPG_INLINE int inside(int position, int size)
{
    return position >= 0 && position < size;
}

/* `weights` [out][h][w][in of a group]; `requant` bias and factor of each output; `base` is the zero point
 * of the input, which padding holds. */
PPG_INLINE void plain_conv(const int8_t *from, int8_t *to, const int8_t *weights,
                           const int32_t *requant, const shape_t s, int32_t base, ending end)
{
    const int channels = s.in_c / s.groups;
    for (int y = 0; y < s.out_h; y++) {
        for (int x = 0; x < s.out_w; x++) {
            for (int o = 0; o < s.out_c; o++) {
                const int8_t *w = weights + o * s.kernel_h * s.kernel_w * channels;
                const int first = s.groups == 1 ? 0 : o / (s.out_c / s.groups) * channels;
                int32_t sum = requant[2 * o];
                for (int i = 0; i < s.kernel_h; i++) {
                    const int row = y * s.stride_h + i * s.dilation_h - s.top;
                    for (int j = 0; j < s.kernel_w; j++) {
                        const int column = x * s.stride_w + j * s.dilation_w - s.left;
                        if (inside(row, s.in_h) && inside(column, s.in_w)) {
                            const int8_t *f = from + (row * s.in_w + column) * s.in_c + first;
                            for (int c = 0; c < channels; c++) {
                                sum += w[(i * s.kernel_w + j) * channels + c] * (f[c] - base);
                            }
                        }
                    }
                }
                *to++ = (int8_t)finish(sum, requant[2 * o + 1], end);
            }
        }
    }
}

/* `weights` [out][h][w][in]: of each output what lies over it. */
PPG_INLINE void plain_transpose(const int8_t *from, int8_t *to, const int8_t *weights,
                                const int32_t *requant, const shape_t s, int32_t base, ending end)
{
    for (int y = 0; y < s.out_h; y++) {
        for (int x = 0; x < s.out_w; x++) {
            for (int o = 0; o < s.out_c; o++) {
                const int8_t *w = weights + o * s.kernel_h * s.kernel_w * s.in_c;
                int32_t sum = requant[2 * o];
                for (int i = 0; i < s.kernel_h; i++) {
                    const int down = y + s.top - i;
                    for (int j = 0; j < s.kernel_w; j++) {
                        const int right = x + s.left - j;
                        const int row = down / s.stride_h, column = right / s.stride_w;
                        if (down == row * s.stride_h && right == column * s.stride_w &&
                            inside(row, s.in_h) && inside(column, s.in_w)) {
                            const int8_t *f = from + (row * s.in_w + column) * s.in_c;
                            for (int c = 0; c < s.in_c; c++) {
                                sum += w[(i * s.kernel_w + j) * s.in_c + c] * (f[c] - base);
                            }
                        }
                    }
                }
                *to++ = (int8_t)finish(sum, requant[2 * o + 1], end);
            }
        }
    }
}

/* `weights` [h][w][out]. */
PPG_INLINE void plain_depthwise(const int8_t *from, int8_t *to, const int8_t *weights,
                                const int32_t *requant, const shape_t s, int32_t base,
                                ending end)
{
    const int repeat = s.out_c / s.in_c;
    for (int y = 0; y < s.out_h; y++) {
        for (int x = 0; x < s.out_w; x++) {
            for (int o = 0; o < s.out_c; o++) {
                int32_t sum = requant[2 * o];
                for (int i = 0; i < s.kernel_h; i++) {
                    const int row = y * s.stride_h + i * s.dilation_h - s.top;
                    for (int j = 0; j < s.kernel_w; j++) {
                        const int column = x * s.stride_w + j * s.dilation_w - s.left;
                        if (inside(row, s.in_h) && inside(column, s.in_w)) {
                            sum += weights[(i * s.kernel_w + j) * s.out_c + o] *
                                   (from[(row * s.in_w + column) * s.in_c + o / repeat] - base);
                        }
                    }
                }
                *to++ = (int8_t)finish(sum, requant[2 * o + 1], end);
            }
        }
    }
}

PPG_INLINE void plain_pad(const int8_t *from, int8_t *to, const shape_t s, int8_t zero)
{
    int channels = s.in_c;
    if (channels > 16) {
        PPG_OPAQUE(channels);
    }
    for (int y = 0; y < s.out_h; y++) {
        for (int x = 0; x < s.out_w; x++) {
            const int row = y - s.top;
            const int column = x - s.left;
            const int real = inside(row, s.in_h) && inside(column, s.in_w);
            for (int c = 0; c < channels; c++) {
                *to++ = real ? from[(row * s.in_w + column) * channels + c] : zero;
            }
        }
    }
}

PPG_INLINE void plain_pool(const int8_t *from, int8_t *to, const shape_t s, int largest,
                           int32_t low, int32_t high)
{
    for (int y = 0; y < s.out_h; y++) {
        for (int x = 0; x < s.out_w; x++) {
            for (int c = 0; c < s.out_c; c++) {
                int32_t sum = 0, best = -128, count = 0;
                for (int i = 0; i < s.kernel_h; i++) {
                    const int row = y * s.stride_h + i - s.top;
                    for (int j = 0; j < s.kernel_w; j++) {
                        const int column = x * s.stride_w + j - s.left;
                        if (inside(row, s.in_h) && inside(column, s.in_w)) {
                            const int32_t v = from[(row * s.in_w + column) * s.in_c + c];
                            sum += v;
                            best = v > best ? v : best;
                            count++;
                        }
                    }
                }
                sum += sum < 0 ? -(count / 2) : count / 2;
                *to++ = (int8_t)clamp(largest ? best : sum / count, low, high);
            }
        }
    }
}

/* The pixels beside a place in 1024 parts, and how far it lies beyond the first. */
typedef struct {
    int lower, upper, beyond;
} between;

PPG_INLINE between between_pixels(int at, int size)
{
    const int lower = at < 0 ? 0 : at >> 10;
    const int upper = at < 0 ? 0 : (at + 1023) >> 10;
    const between found = {lower, upper < size ? upper : size - 1, at - lower * 1024};
    return found;
}

/* A position of the output stands for `begin + position * step` of 1024 parts of a pixel. */
PPG_INLINE void plain_resize(const int8_t *from, int8_t *to, int in_h, int out_h, int step_h,
                             int begin_h, int in_w, int out_w, int step_w, int begin_w,
                             int channels)
{
    for (int y = 0; y < out_h; y++) {
        const between row = between_pixels(begin_h + y * step_h, in_h);
        for (int x = 0; x < out_w; x++) {
            const between column = between_pixels(begin_w + x * step_w, in_w);
            const int8_t *a = from + row.lower * in_w * channels;
            const int8_t *b = from + row.upper * in_w * channels;
            const int left = column.lower * channels, right = column.upper * channels;
            for (int c = 0; c < channels; c++) {
                const int32_t first = a[left + c] * (1024 - row.beyond) + b[left + c] * row.beyond;
                const int32_t second =
                    a[right + c] * (1024 - row.beyond) + b[right + c] * row.beyond;
                int32_t sum = first * (1024 - column.beyond) + second * column.beyond;
                sum += sum > 0 ? 1 << 19 : -(1 << 19);
                *to++ = (int8_t)(sum / (1 << 20));
            }
        }
    }
}

/* The high half of twice a product, ties up. */
PPG_INLINE int32_t high_product(int64_t a, int32_t b)
{
    return (int32_t)((a * b + (INT64_C(1) << 30)) >> 31);
}

/* A value over a power of two, ties away from zero. */
PPG_INLINE int32_t over_power(int32_t value, int power)
{
    const int32_t mask = (int32_t)((INT64_C(1) << power) - 1);
    const int32_t threshold = (mask >> 1) + (value < 0);
    return (value >> power) + ((value & mask) > threshold);
}

/* A value times a factor, rounded twice as TFLite does. */
PPG_INLINE int32_t rescaled(int32_t value, int32_t mantissa, int shift)
{
    const int left = shift > 0 ? shift : 0;
    const int right = shift < 0 ? -shift : 0;
    return over_power(high_product((int64_t)value * (1 << left), mantissa), right);
}

/* A value, or a negative one times its slope, by factors of their own. */
PPG_INLINE int32_t sloped(int32_t x, int32_t slope, int32_t above, int above_shift, int32_t below,
                          int below_shift)
{
    return x >= 0 ? rescaled(x, above, above_shift) : rescaled(x * slope, below, below_shift);
}

PPG_INLINE int32_t squared(int32_t x)
{
    return x * x;
}

/* 1 / (1 + a) of 31-bit fractions: Newton's division. */
PPG_INLINE int32_t reciprocal(int32_t a)
{
    const int32_t half = (int32_t)(((int64_t)a + INT32_MAX + 1) >> 1);
    int32_t x = 1515870810 + high_product(half, -1010580540);
    for (int round = 0; round < 3; round++) {
        x += high_product(x, (1 << 29) - high_product(half, x)) * 4;
    }
    return x >= 1 << 30 ? INT32_MAX : x * 2;
}

PPG_INLINE int largest_of(const int8_t *from, int channels)
{
    int best = from[0];
    for (int c = 1; c < channels; c++) {
        best = from[c] > best ? from[c] : best;
    }
    return best;
}

/* `exponentials` of the distance from the largest input; fewer than 4096 channels. */
PPG_INLINE void plain_softmax(const int8_t *from, int8_t *to, int rows, int channels,
                              const int32_t *exponentials)
{
    for (int row = 0; row < rows; row++) {
        const int best = largest_of(from, channels);
        uint32_t total = 0;
        for (int c = 0; c < channels; c++) {
            total += (uint32_t)over_power(exponentials[best - from[c]], 12);
        }
        int power = 35;
        for (; total < 0x80000000u; total *= 2) {
            power--;
        }
        const int32_t inverse = reciprocal((int32_t)(total - 0x80000000u));
        for (int c = 0; c < channels; c++) {
            const int32_t share = high_product(inverse, exponentials[best - from[c]]);
            to[c] = (int8_t)clamp((power > 31 ? 0 : over_power(share, power)) - 128, -128, 127);
        }
        from += channels;
        to += channels;
    }
}

PPG_INLINE int leading_zeros(uint32_t x)
{
    int zeros = 0;
    for (; x < 0x80000000u; x *= 2) {
        zeros++;
    }
    return zeros;
}

/* A value times a power of two, at most INT32_MAX. */
PPG_INLINE int32_t at_most(int32_t x, int power)
{
    return x > INT32_MAX >> power ? INT32_MAX : x * (1 << power);
}

/* log(x) with 26 bits behind the point of x >= 1 with 19. */
PPG_INLINE int32_t logarithm(int32_t x)
{
    const int32_t root = 1518500250, fourth_root = 1805811301; /* of 1/2 */
    const int zeros = leading_zeros((uint32_t)x);
    const int shift = leading_zeros((uint32_t)high_product(x, root)) - 1;
    const int32_t first = at_most(high_product(at_most(x, zeros - 1), root), 1);
    const int32_t second = at_most(x, shift);
    const int32_t r = first < second ? first : second;
    const int32_t above = (12 - zeros) * (1 << 25) + (1 << 23);
    const int32_t below = (12 - shift) * (1 << 25) - (1 << 23);
    const int32_t power = above > below ? above : below;
    const int32_t p = (int32_t)(((int64_t)r + fourth_root + 1) >> 1), q = 2 * (r - fourth_root);
    const int32_t square = high_product(q, q);
    const int32_t upper = high_product(q, r) + high_product(high_product(q, square), 117049297);
    const int32_t lower = high_product(p, 1057819769 + q + high_product(square, 127690142));
    const int32_t inverse = reciprocal(lower + high_product(q, 638450708));
    return 2 * (high_product(power, 1488522236) + high_product(over_power(upper, 6), inverse));
}

/* As `plain_softmax`; `factor` and the mantissa are those of 2^22 parts of an output step. */
PPG_INLINE void plain_log_softmax(const int8_t *from, int8_t *to, int rows, int channels, int zero,
                                  const int32_t *exponentials, int32_t mantissa, int shift,
                                  int farthest, int64_t factor)
{
    for (int row = 0; row < rows; row++) {
        const int best = largest_of(from, channels);
        int32_t total = 0;
        for (int c = 0; c < channels; c++) {
            total += over_power(exponentials[best - from[c]], 12);
        }
        const int64_t log = (logarithm(total) * factor >> 26) + (1 << 21);
        for (int c = 0; c < channels; c++) {
            const int away = best - from[c];
            const int64_t parts = away > farthest ? INT64_C(1) << 30
                                                  : log - rescaled(-away, mantissa, shift);
            const int64_t steps = parts >> 22;
            to[c] = (int8_t)clamp(zero - (int)(steps > 255 ? 255 : steps), -128, 127);
        }
        from += channels;
        to += channels;
    }
}

/* TFLite's MEAN: the sum of centred values times a factor. */
PPG_INLINE void plain_mean(const int8_t *from, int8_t *to, int count, int channels, int32_t base,
                           int32_t mantissa, int shift, ending end)
{
    for (int c = 0; c < channels; c++) {
        int32_t sum = 0;
        for (int index = 0; index < count; index++) {
            sum += from[index * channels + c] - base;
        }
        to[c] = (int8_t)clamp(rescaled(sum, mantissa, shift) + end.zero, end.low, end.high);
    }
}
