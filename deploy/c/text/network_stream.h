#define PPG_STREAMING 1
#define PPG_STEPS $steps
#define PPG_CHANNELS $channels
#define PPG_CLASSES $classes
#define PPG_SCRATCH_BYTES $scratch_bytes
/* Where `ppg_step` wants its block: at this place of the scratch buffer it is not copied. */
#define PPG_INPUT_OFFSET $offset

#define PPG_OK 0
#define PPG_ERROR_NULL (-1)
#define PPG_ERROR_ALIGNMENT (-2)

/* What the network keeps between blocks; the caller's. */
typedef struct {
    uint32_t blocks;
    uint32_t kept[$words];
} ppg_network_t;

/* Forgets everything: call it before the first block, and where blocks are missing. */
void ppg_network_reset(ppg_network_t *network);

/* int8 logits of the last 8 s, from 2 s that are new.
 *
 * block: [PPG_STEPS][PPG_CHANNELS], normalised and quantised; logits: [PPG_CLASSES];
 * memory: PPG_SCRATCH_BYTES bytes, aligned to 8, contents without meaning before and after.
 * Returns 1 with logits; 0 without, for the blocks after a reset that end before 8 s; or an error if a
 * pointer is NULL or the memory not aligned. */
int ppg_step(ppg_network_t *network, const int8_t *block, int8_t *logits, void *memory);
