#include "arm_nnfunctions.h"

/* Double rounding of TFLite's fixed point; `shift` is negative to the right. */
int32_t arm_plain_rescaled(int32_t x, int32_t by, int32_t shift)
{
    int64_t high = ((int64_t)(x * (1 << (shift > 0 ? shift : 0))) * by + (1 << 30)) >> 31;
    int right = shift < 0 ? -shift : 0;
    int64_t half = right ? (int64_t)1 << (right - 1) : 0;
    return (int32_t)(high < 0 ? -((-high + half) >> right) : (high + half) >> right);
}
