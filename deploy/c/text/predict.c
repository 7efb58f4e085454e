int ppg_predict(const int16_t *window, uint32_t strides, void *memory, ppg_smoother_t *smoother,
                ppg_reading_t *raw, ppg_reading_t *smoothed)
{
    int8_t *logits = memory;
    int8_t *rest = logits + $logits;
    int status;
    if (window == NULL || memory == NULL || smoother == NULL || raw == NULL || smoothed == NULL) {
        return PPG_ERROR_NULL;
    }
    if ((uintptr_t)memory % 8 != 0) {
        return PPG_ERROR_ALIGNMENT;
    }
    ppg_quantise(window, rest + PPG_INPUT_OFFSET);
    status = ppg_infer(rest + PPG_INPUT_OFFSET, logits, rest);
    if (status != PPG_OK) {
        return status;
    }
    ppg_decode(logits, (uint32_t *)(void *)rest, raw);
    raw->invalid_steps = (uint16_t)window[PPG_WINDOW_WORDS - 1];
    ppg_smooth(smoother, raw, strides, (uint32_t *)(void *)rest, smoothed);
    return PPG_OK;
}
