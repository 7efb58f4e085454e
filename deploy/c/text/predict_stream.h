/* ---- a reading ---------------------------------------------------------------------------- */

/* Bytes of memory that ppg_predict wants, aligned to 8; it holds nothing between calls. */
#define PPG_MEMORY_BYTES $memory

/* What stays between blocks: of the normalisation, and of the network. */
typedef struct {
    ppg_gain_t gain;
    ppg_network_t network;
} ppg_stream_t;

/* Forgets all blocks: call it with ppg_reset, and where a block was lost. */
void ppg_stream_reset(ppg_stream_t *stream);

/* Heart rate of the last 8 s, from a block that is new.
 *
 * block: from ppg_window, each of them once and in order; strides: how many times 2 s lie between
 * this reading and the one before, 0 for the first; raw: of these 8 s alone; smoothed: with those
 * before them. Returns 1 with a reading; 0 without, for the blocks after a reset that end before
 * 8 s; or an error if a pointer is NULL or the memory not aligned. */
int ppg_predict(const int16_t *block, uint32_t strides, ppg_stream_t *stream, void *memory,
                ppg_smoother_t *smoother, ppg_reading_t *raw, ppg_reading_t *smoothed);
