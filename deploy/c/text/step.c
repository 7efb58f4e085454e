int $call(ppg_network_t *network, const int8_t *block, int8_t *$output, void *memory)
{
    int8_t *scratch = memory;
    int8_t *kept;
    if (network == NULL || block == NULL || $output == NULL || memory == NULL) {
        return PPG_ERROR_NULL;
    }
    if ((uintptr_t)memory % 8 != 0) {
        return PPG_ERROR_ALIGNMENT;
    }
    kept = (int8_t *)network->kept;
    if (block != scratch + $offset) {
        copy_bytes(scratch + $offset, block, $size);
    }
$statements
    network->blocks++;
    if (network->blocks < ${blocks}u) {
        return 0;
    }
$head
    return 1;
}
