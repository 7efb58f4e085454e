#include <stddef.h>
#include <stdint.h>

#if defined(__ARM_FEATURE_SIMD32)
#include <arm_acle.h>
#endif

#include "model.h"

void *memcpy(void *to, const void *from, size_t count);

