int $call(const int8_t *input, int8_t *$output, void *memory)
{
    int8_t *scratch = memory;
    if (input == NULL || $output == NULL || memory == NULL) {
        return PPG_ERROR_NULL;
    }
    if ((uintptr_t)memory % 8 != 0) {
        return PPG_ERROR_ALIGNMENT;
    }
$statements
    return PPG_OK;
}
