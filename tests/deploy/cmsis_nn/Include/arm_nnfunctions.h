/* Names and types of CMSIS-NN's calls, for the plain C beside it: written for the tests here. */
#ifndef PLAIN_CMSIS_NN_H
#define PLAIN_CMSIS_NN_H
#include <math.h>
#include <stdint.h>

typedef int arm_cmsis_nn_status;
typedef struct { void *buf; int32_t size; } cmsis_nn_context;
typedef struct { int32_t n, h, w, c; } cmsis_nn_dims;
typedef struct { int32_t w, h; } cmsis_nn_tile;
typedef struct { int32_t min, max; } cmsis_nn_activation;
typedef struct { int32_t *multiplier, *shift; } cmsis_nn_per_channel_quant_params;
typedef struct { int32_t multiplier, shift; } cmsis_nn_per_tensor_quant_params;
typedef struct {
    int32_t input_offset, output_offset;
    cmsis_nn_tile stride, padding, dilation;
    cmsis_nn_activation activation;
} cmsis_nn_conv_params;
typedef struct {
    int32_t input_offset, output_offset, ch_mult;
    cmsis_nn_tile stride, padding, dilation;
    cmsis_nn_activation activation;
} cmsis_nn_dw_conv_params;
typedef struct {
    cmsis_nn_tile stride, padding;
    cmsis_nn_activation activation;
} cmsis_nn_pool_params;
typedef struct {
    int32_t input_offset, filter_offset, output_offset;
    cmsis_nn_activation activation;
} cmsis_nn_fc_params;

typedef const cmsis_nn_dims *dims_t;
arm_cmsis_nn_status arm_convolve_wrapper_s8(
    const cmsis_nn_context *context, const cmsis_nn_conv_params *by,
    const cmsis_nn_per_channel_quant_params *scales, dims_t from, const int8_t *x, dims_t window,
    const int8_t *weights, dims_t biased, const int32_t *biases, dims_t to, int8_t *y);
arm_cmsis_nn_status arm_depthwise_conv_wrapper_s8(
    const cmsis_nn_context *context, const cmsis_nn_dw_conv_params *by,
    const cmsis_nn_per_channel_quant_params *scales, dims_t from, const int8_t *x, dims_t window,
    const int8_t *weights, dims_t biased, const int32_t *biases, dims_t to, int8_t *y);
arm_cmsis_nn_status arm_fully_connected_s8(
    const cmsis_nn_context *context, const cmsis_nn_fc_params *by,
    const cmsis_nn_per_tensor_quant_params *scale, dims_t from, const int8_t *x, dims_t window,
    const int8_t *weights, dims_t biased, const int32_t *biases, dims_t to, int8_t *y);
arm_cmsis_nn_status arm_avgpool_s8(
    const cmsis_nn_context *context, const cmsis_nn_pool_params *by, dims_t from, const int8_t *x,
    dims_t window, dims_t to, int8_t *y);
arm_cmsis_nn_status arm_elementwise_add_s8(
    const int8_t *a, const int8_t *b, int32_t a_offset, int32_t a_by, int32_t a_shift,
    int32_t b_offset, int32_t b_by, int32_t b_shift, int32_t left, int8_t *y, int32_t y_offset,
    int32_t y_by, int32_t y_shift, int32_t min, int32_t max, int32_t size);
int8_t arm_plain_clamped(int64_t x, int32_t offset, cmsis_nn_activation limits);
int32_t arm_plain_rescaled(int32_t x, int32_t by, int32_t shift);
#endif
