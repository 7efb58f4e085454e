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
    if (network->blocks - ${no_blocks}u >= ${turn}u) {
        ppg_network_reset(network); /* it never was */
    }
    kept = (int8_t *)network->kept;
    if (block != scratch + $offset) {
        copy_bytes(scratch + $offset, block, $size);
    }
$statements
    network->blocks++;
    if (network->blocks == ${no_blocks}u + ${turn}u) {
        network->blocks -= ${period}u;
    }
    if (network->blocks < ${no_blocks}u + ${blocks}u) {
        return 0;
    }
$head
    return 1;
}
