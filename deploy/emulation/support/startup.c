/* Vectors and reset of an image: calls one function as a mailbox in SRAM says, then stops.
 *
 * An emulator that calls functions directly never comes here. QEMU starts here: it loads the
 * mailbox and the bytes to write, and gets results through semihosting (Arm IHI 0101: BKPT 0xAB,
 * operation in r0, parameters in r1). The mailbox stands in the last 64 KiB below the stack.
 * CMSDK timer 0 of the MPS2 boards counts down with the virtual clock, from which the host reads
 * how many instructions the call took.
 */
#include <stddef.h>
#include <stdint.h>

#define CPACR (*(volatile uint32_t *)0xE000ED88u)
#define TIMER_CONTROL (*(volatile uint32_t *)0x40000000u)
#define TIMER_VALUE (*(volatile uint32_t *)0x40000004u)
#define TIMER_RELOAD (*(volatile uint32_t *)0x40000008u)

enum { SYS_OPEN = 1, SYS_CLOSE = 2, SYS_WRITE = 5, SYS_EXIT = 0x18, EXIT_OK = 0x20026 };

struct block {
    unsigned char *address; /* where it belongs, or is read from */
    uint32_t count;
    const unsigned char *bytes; /* where the host has put it; not used for reading */
};

struct mailbox {
    uint32_t (*function)(uint32_t, uint32_t, uint32_t, uint32_t);
    uint32_t arguments[4];
    uint32_t result;
    uint32_t ticks;
    uint32_t ticks_of_nothing;
    uint32_t writes;
    uint32_t reads;
    struct block blocks[]; /* writes, then reads */
};

extern uint32_t __stack_top[];
extern uint32_t __data_begin[], __data_end[], __bss_begin[], __bss_end[];
extern const uint32_t __data_source[];
extern uint32_t __mailbox[];

void ppgnas_reset(void);
static void ppgnas_fault(void);
static uint32_t ppgnas_nothing(uint32_t a, uint32_t b, uint32_t c, uint32_t d);

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    __stack_top,
    (const void *)ppgnas_reset,
    (const void *)ppgnas_fault,
    (const void *)ppgnas_fault,
    (const void *)ppgnas_fault,
    (const void *)ppgnas_fault,
    (const void *)ppgnas_fault,
};

static int32_t semihost(int32_t operation, const void *parameters)
{
    register int32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = parameters;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void leave(int32_t reason)
{
    (void)semihost(SYS_EXIT, (const void *)(intptr_t)reason);
    for (;;) {
    }
}

static void ppgnas_fault(void)
{
    leave(0x20023); /* ADP_Stopped_RunTimeErrorUnknown */
}

__attribute__((noinline)) static uint32_t ppgnas_nothing(
    uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    (void)b;
    (void)c;
    (void)d;
    __asm__ volatile("");
    return a;
}

__attribute__((noinline)) static uint32_t timed(struct mailbox *box,
    uint32_t (*volatile function)(uint32_t, uint32_t, uint32_t, uint32_t), uint32_t *ticks)
{
    const uint32_t before = TIMER_VALUE;
    const uint32_t result = function(
        box->arguments[0], box->arguments[1], box->arguments[2], box->arguments[3]);
    *ticks = before - TIMER_VALUE;
    return result;
}

static void send(int32_t file, const void *bytes, uint32_t count)
{
    const uint32_t parameters[3] = {(uint32_t)file, (uint32_t)(uintptr_t)bytes, count};
    if (count > 0u && semihost(SYS_WRITE, parameters) != 0) {
        leave(0x20023);
    }
}

__attribute__((used)) void ppgnas_reset(void)
{
    struct mailbox *box = (struct mailbox *)(void *)__mailbox;
    const uint32_t *source = __data_source;
    static const char name[] = "reply.bin";
    uint32_t i;
    CPACR |= 0xFu << 20; /* full access to the floating-point unit */
    __asm__ volatile("dsb\n isb" : : : "memory");
    for (uint32_t *word = __data_begin; word != __data_end; word++) {
        *word = *source++;
    }
    for (uint32_t *word = __bss_begin; word != __bss_end; word++) {
        *word = 0u;
    }
    for (i = 0u; i < box->writes; i++) {
        const struct block *block = &box->blocks[i];
        for (uint32_t k = 0u; k < block->count; k++) {
            block->address[k] = block->bytes[k];
        }
    }
    TIMER_RELOAD = 0xFFFFFFFFu;
    TIMER_VALUE = 0xFFFFFFFFu;
    TIMER_CONTROL = 1u;
    (void)timed(box, ppgnas_nothing, &box->ticks_of_nothing);
    box->result = timed(box, box->function, &box->ticks);
    {
        const uint32_t parameters[3] = {(uint32_t)(uintptr_t)name, 5u /* wb */, sizeof name - 1u};
        const int32_t file = semihost(SYS_OPEN, parameters);
        if (file < 0) {
            leave(0x20023);
        }
        send(file, &box->result, 3u * sizeof(uint32_t));
        for (i = 0u; i < box->reads; i++) {
            const struct block *block = &box->blocks[box->writes + i];
            send(file, block->address, block->count);
        }
        (void)semihost(SYS_CLOSE, &file);
    }
    leave(EXIT_OK);
}
