#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stdint.h>

typedef struct {
    int (*infer)(const int8_t *, int8_t *, void *);
    size_t input, logits, scratch, at;
} network;

$declarations
static const network networks[] = {
$rows};

/* program NUMBER WINDOWS LOGITS: every block is as long as the header says and no byte longer. */
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
    int filler = 165;
    if (from == NULL || to == NULL || !input || !logits || !again || !scratch) {
        return 2;
    }
    while (fread(input, 1, n.input, from) == n.input) {
        memset(scratch, filler, n.scratch);
        if (n.infer(input, logits, scratch) != 0) {
            return 3;
        }
        filler = (filler * 5 + 1) & 255;
        memset(scratch, filler, n.scratch);
        memcpy(scratch + n.at, input, n.input);
        if (n.infer(scratch + n.at, again, scratch) != 0 || memcmp(logits, again, n.logits) != 0) {
            return 4;
        }
        if (fwrite(logits, 1, n.logits, to) != n.logits) {
            return 2;
        }
    }
    free(input);
    free(logits);
    free(again);
    free(scratch);
    return fclose(from) | fclose(to);
}
