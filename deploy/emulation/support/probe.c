/* With an argument: one read past the end of a heap block, or one shift by too much. */
#include <stdlib.h>
int main(int count, char **words)
{
    volatile int many = count + 30;
    char *block = malloc((size_t)many);
    int value = 0;
    if (block == NULL || count < 2) { free(block); return 0; }
    block[0] = 1;
    value = words[1][0] == 'a' ? ((volatile char *)block)[many] : 1 << many;
    free(block);
    return value & 0;
}
