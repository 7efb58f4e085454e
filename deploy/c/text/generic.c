/* ---- any other layer: plain loops over [height][width][channels], no padding stored ----------- */

typedef struct {
    int in_h, in_w, in_c, out_h, out_w, out_c;
    int kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, top, left;
} shape_t;

PPG_INLINE int inside(int position, int size)
{
    return position >= 0 && position < size;
}

/* `weights` [out][h][w][in]; `requant` bias and factor of each output; `base` is the zero point
 * of the input, which padding holds. */
PPG_INLINE void plain_conv(const int8_t *from, int8_t *to, const int8_t *weights,
                           const int32_t *requant, const shape_t s, int32_t base, ending end)
{
    for (int y = 0; y < s.out_h; y++) {
        for (int x = 0; x < s.out_w; x++) {
            for (int o = 0; o < s.out_c; o++) {
                const int8_t *w = weights + o * s.kernel_h * s.kernel_w * s.in_c;
                int32_t sum = requant[2 * o];
                for (int i = 0; i < s.kernel_h; i++) {
                    const int row = y * s.stride_h + i * s.dilation_h - s.top;
                    for (int j = 0; j < s.kernel_w; j++) {
                        const int column = x * s.stride_w + j * s.dilation_w - s.left;
                        if (inside(row, s.in_h) && inside(column, s.in_w)) {
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

PPG_INLINE void plain_add(const int8_t *first, const int8_t *second, int8_t *to, int count,
                          addition add)
{
    for (int index = 0; index < count; index++) {
        to[index] = (int8_t)joined(first[index], second[index], add);
    }
}

PPG_INLINE void plain_pad(const int8_t *from, int8_t *to, const shape_t s, int8_t zero)
{
    for (int y = 0; y < s.out_h; y++) {
        for (int x = 0; x < s.out_w; x++) {
            const int row = y - s.top;
            const int column = x - s.left;
            const int real = inside(row, s.in_h) && inside(column, s.in_w);
            for (int c = 0; c < s.in_c; c++) {
                *to++ = real ? from[(row * s.in_w + column) * s.in_c + c] : zero;
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

/* TFLite's MEAN: the sum of centred values times a factor, rounded twice. */
PPG_INLINE void plain_mean(const int8_t *from, int8_t *to, int count, int channels, int32_t base,
                           int32_t mantissa, int shift, ending end)
{
    for (int c = 0; c < channels; c++) {
        int32_t sum = 0;
        for (int index = 0; index < count; index++) {
            sum += from[index * channels + c] - base;
        }
        const int left = shift > 0 ? shift : 0;
        const int right = shift < 0 ? -shift : 0;
        const int64_t product = (int64_t)sum * (1 << left) * mantissa + (INT64_C(1) << 30);
        const int32_t value = (int32_t)(product >> 31);
        const int32_t mask = (int32_t)((INT64_C(1) << right) - 1);
        const int32_t threshold = (mask >> 1) + (value < 0);
        const int32_t rounded = (value >> right) + ((value & mask) > threshold);
        to[c] = (int8_t)clamp(rounded + end.zero, end.low, end.high);
    }
}
