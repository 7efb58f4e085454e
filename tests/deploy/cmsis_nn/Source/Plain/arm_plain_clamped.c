#include "arm_nnfunctions.h"

int8_t arm_plain_clamped(int64_t x, int32_t offset, cmsis_nn_activation limits)
{
    x += offset;
    return (int8_t)(x < limits.min ? limits.min : x > limits.max ? limits.max : x);
}
