void ppg_network_reset(ppg_network_t *network)
{
    static const struct {
        int16_t bytes;
        int8_t value;
    } parts[] = {
$parts
    };
    int8_t *kept = (int8_t *)network->kept;
    unsigned int part;
    network->blocks = 0;
    for (part = 0; part < sizeof parts / sizeof parts[0]; part++) {
        for (int left = parts[part].bytes; left != 0; left--) {
            PPG_OPAQUE(left);
            *kept++ = parts[part].value;
        }
    }
}

int ppg_step(ppg_network_t *network, const int8_t *block, int8_t *logits, void *memory)
{
    int8_t *scratch = memory;
    int8_t *kept;
    if (network == NULL || block == NULL || logits == NULL || memory == NULL) {
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
