#include "arm_nnfunctions.h"

arm_cmsis_nn_status arm_fully_connected_s8(
    const cmsis_nn_context *context, const cmsis_nn_fc_params *by,
    const cmsis_nn_per_tensor_quant_params *scale, dims_t from, const int8_t *x, dims_t window,
    const int8_t *weights, dims_t biased, const int32_t *biases, dims_t to, int8_t *y)
{
    for (int32_t at = 0; at < from->n * to->c; at++) {
        int32_t o = at % to->c, sum = biases[o];
        for (int32_t i = 0; i < window->n; i++)
            sum += weights[o * window->n + i] * (x[at / to->c * window->n + i] + by->input_offset);
        y[at] = arm_plain_clamped(
            arm_plain_rescaled(sum, scale->multiplier, scale->shift), by->output_offset,
            by->activation);
    }
    return 0;
}
