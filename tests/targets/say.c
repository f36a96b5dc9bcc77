/* A program to put user probes on: `say N` prints N lines.
 *
 * Each line goes through printf() with an argument, which no compiler turns into puts(); build it without
 * _FORTIFY_SOURCE, or it is __printf_chk() that is called.  The format is the file's only string, so that
 * its page is not in memory before the first printf() reads it.
 */
#include <stdio.h>
#include <stdlib.h>

/* Has a symbol of its own, and an argument and a result to compare. */
__attribute__((noinline)) int double_it(int number)
{
    return 2 * number;
}

/* A USDT probe "lab:step" with one argument, as <sys/sdt.h> would make it (not every machine has that).
 * The tracer adds one to the semaphore while it watches: an unwatched program skips the probe.
 */
__attribute__((section(".probes"))) volatile unsigned short lab_step_semaphore;

static void step(long number)
{
    if (!lab_step_semaphore)
        return;
    __asm__ volatile(
        "990: nop\n"
        ".pushsection .note.stapsdt, \"\", \"note\"\n"
        ".balign 4\n"
        ".4byte 992f - 991f, 994f - 993f, 3\n"
        "991: .asciz \"stapsdt\"\n"
        "992: .balign 4\n"
        "993: .8byte 990b, _.stapsdt.base, lab_step_semaphore\n"
        ".asciz \"lab\"\n"
        ".asciz \"step\"\n"
        ".asciz \"-8@%0\"\n"
        "994: .balign 4\n"
        ".popsection\n"
        ".pushsection .stapsdt.base, \"aG\", \"progbits\", .stapsdt.base, comdat\n"
        ".weak _.stapsdt.base\n"
        ".hidden _.stapsdt.base\n"
        "_.stapsdt.base: .space 1\n"
        ".size _.stapsdt.base, 1\n"
        ".popsection\n"
        : : "r"(number));
}

int main(int argc, char **argv)
{
    int lines = argc > 1 ? atoi(argv[1]) : 1;
    for (int i = 0; i < lines; i++) {
        step(i);
        printf("line %d of %d\n", double_it(i) / 2, lines);
    }
    return 0;
}
