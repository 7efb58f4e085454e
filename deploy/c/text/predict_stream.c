/* Whether the newest block is the first one after a broken one. */
static int front_begins(const ppg_gain_t *gain)
{
    return front_held(gain) > 1 && front_past(gain, 0)->invalid >= 0 &&
           front_past(gain, 1)->invalid < 0;
}

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
    if (front_begins(&stream->gain)) { /* no layer reads the past, which is broken */
        const uint32_t blocks = stream->network.blocks;
        ppg_network_reset(&stream->network);
        stream->network.blocks = blocks;
    }
    status = ppg_step(&stream->network, rest + PPG_INPUT_OFFSET, logits, rest);
    if (status != 1) {
        return status;
    }
    ppg_decode(logits, (uint32_t *)(void *)rest, raw);
    raw->invalid_steps = front_blocks(&stream->gain) < PPG_BLOCKS ? UINT16_MAX : 0; /* no window */
    ppg_smooth(smoother, raw, strides, (uint32_t *)(void *)rest, smoothed);
    raw->invalid_steps = ppg_invalid_steps(&stream->gain);
    smoothed->invalid_steps = raw->invalid_steps;
    return 1;
}
