#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stdint.h>

typedef struct {
    void (*start)(void *);
    int (*run)(void *, const int8_t *, int8_t *, void *);
    size_t input, logits, scratch, at, state;
} network;

$declarations
static const network networks[] = {
$rows};

/* program NUMBER INPUTS LOGITS: windows, or blocks of one long signal. Every piece of memory is as
 * long as the header says and no byte longer. */
int main(int count, char **words)
{
    if (count != 4) {
        return 2;
    }
    const network n = networks[atoi(words[1])];
    FILE *from = fopen(words[2], "rb");
    FILE *to = fopen(words[3], "wb");
    int8_t *input = malloc(n.input);
    int8_t *logits = malloc(n.logits);
    int8_t *again = malloc(n.logits);
    int8_t *scratch = malloc(n.scratch);
    void *state = malloc(n.state);
    void *other = malloc(n.state);
    int filler = 165;
    if (from == NULL || to == NULL || !input || !logits || !again || !scratch || !state || !other) {
        return 2;
    }
    memset(state, filler, n.state);
    memset(other, 255 - filler, n.state);
    n.start(state);
    n.start(other);
    while (fread(input, 1, n.input, from) == n.input) {
        memset(scratch, filler, n.scratch);
        const int due = n.run(state, input, logits, scratch);
        if (due < 0) {
            return 3;
        }
        filler = (filler * 5 + 1) & 255;
        memset(scratch, filler, n.scratch);
        /* In its place, where the network has one. */
        const int8_t *there = n.at < n.scratch ? memcpy(scratch + n.at, input, n.input) : input;
        if (n.run(other, there, again, scratch) != due ||
            (due && memcmp(logits, again, n.logits) != 0)) {
            return 4;
        }
        if (due && fwrite(logits, 1, n.logits, to) != n.logits) {
            return 2;
        }
    }
    free(input);
    free(logits);
    free(again);
    free(scratch);
    free(state);
    free(other);
    return fclose(from) | fclose(to);
}
