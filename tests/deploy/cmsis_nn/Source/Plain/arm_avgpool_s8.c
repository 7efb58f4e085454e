#include "arm_nnfunctions.h"

arm_cmsis_nn_status arm_avgpool_s8(
    const cmsis_nn_context *context, const cmsis_nn_pool_params *by, dims_t from, const int8_t *x,
    dims_t window, dims_t to, int8_t *y)
{
    for (int32_t at = 0; at < to->h * to->w * to->c; at++) {
        int32_t column = at / to->c % to->w, row = at / to->c / to->w, sum = 0, count = 0;
        for (int32_t tap = 0; tap < window->h * window->w; tap++) {
            int32_t h = row * by->stride.h - by->padding.h + tap / window->w;
            int32_t w = column * by->stride.w - by->padding.w + tap % window->w;
            if (h < 0 || h >= from->h || w < 0 || w >= from->w)
                continue;
            sum += x[(h * from->w + w) * from->c + at % to->c];
            count++;
        }
        y[at] = arm_plain_clamped(
            (sum + (sum > 0 ? count / 2 : -(count / 2))) / count, 0, by->activation);
    }
    return 0;
}
