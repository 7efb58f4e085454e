void ppg_stream_reset(ppg_stream_t *stream)
{
    ppg_gain_reset(&stream->gain);
    ppg_network_reset(&stream->network);
}

int ppg_predict(const int16_t *block, uint32_t strides, ppg_stream_t *stream, void *memory,
                ppg_smoother_t *smoother, ppg_reading_t *raw, ppg_reading_t *smoothed)
{
    int8_t *logits = memory;
    int8_t *rest = logits + $logits;
    int status;
    if (block == NULL || stream == NULL || memory == NULL || smoother == NULL || raw == NULL ||
        smoothed == NULL) {
        return PPG_ERROR_NULL;
    }
    if ((uintptr_t)memory % 8 != 0) {
        return PPG_ERROR_ALIGNMENT;
    }
    ppg_quantise(&stream->gain, block, rest + PPG_INPUT_OFFSET);
    status = ppg_step(&stream->network, rest + PPG_INPUT_OFFSET, logits, rest);
    if (status != 1) {
        return status;
    }
    ppg_decode(logits, (uint32_t *)(void *)rest, raw);
    raw->invalid_steps = ppg_invalid_steps(&stream->gain);
    ppg_smooth(smoother, raw, strides, (uint32_t *)(void *)rest, smoothed);
    return 1;
}
