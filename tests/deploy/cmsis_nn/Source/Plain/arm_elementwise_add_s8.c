#include "arm_nnfunctions.h"

arm_cmsis_nn_status arm_elementwise_add_s8(
    const int8_t *a, const int8_t *b, int32_t a_offset, int32_t a_by, int32_t a_shift,
    int32_t b_offset, int32_t b_by, int32_t b_shift, int32_t left, int8_t *y, int32_t y_offset,
    int32_t y_by, int32_t y_shift, int32_t min, int32_t max, int32_t size)
{
    cmsis_nn_activation limits = {min, max};
    for (int32_t i = 0; i < size; i++) {
        int32_t sum = arm_plain_rescaled((a[i] + a_offset) * (1 << left), a_by, a_shift)
            + arm_plain_rescaled((b[i] + b_offset) * (1 << left), b_by, b_shift);
        y[i] = arm_plain_clamped(arm_plain_rescaled(sum, y_by, y_shift), y_offset, limits);
    }
    return 0;
}
