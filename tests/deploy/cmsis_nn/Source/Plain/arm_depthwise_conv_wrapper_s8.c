#include "arm_nnfunctions.h"

arm_cmsis_nn_status arm_depthwise_conv_wrapper_s8(
    const cmsis_nn_context *context, const cmsis_nn_dw_conv_params *by,
    const cmsis_nn_per_channel_quant_params *scales, dims_t from, const int8_t *x, dims_t window,
    const int8_t *weights, dims_t biased, const int32_t *biases, dims_t to, int8_t *y)
{
    if (window->c != to->c || from->c * by->ch_mult != to->c || biased->c != to->c)
        return -1;
    for (int32_t at = 0; at < to->h * to->w * to->c; at++) {
        int32_t o = at % to->c, column = at / to->c % to->w, row = at / to->c / to->w;
        int32_t sum = biases[o];
        for (int32_t tap = 0; tap < window->h * window->w; tap++) {
            int32_t h = row * by->stride.h - by->padding.h + tap / window->w * by->dilation.h;
            int32_t w = column * by->stride.w - by->padding.w + tap % window->w * by->dilation.w;
            if (h >= 0 && h < from->h && w >= 0 && w < from->w)
                sum += weights[tap * to->c + o]
                    * (x[(h * from->w + w) * from->c + o / by->ch_mult] + by->input_offset);
        }
        y[at] = arm_plain_clamped(
            arm_plain_rescaled(sum, scales->multiplier[o], scales->shift[o]), by->output_offset,
            by->activation);
    }
    return 0;
}
