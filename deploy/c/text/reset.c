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
    network->blocks = ${no_blocks}u;
    for (part = 0; part < sizeof parts / sizeof parts[0]; part++) {
        for (int left = parts[part].bytes; left != 0; left--) {
            PPG_OPAQUE(left);
            *kept++ = parts[part].value;
        }
    }
}
