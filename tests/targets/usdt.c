/* A program with USDT probes: `usdt N` passes lab:step 2 N times, and lab:rare N times while it is watched.
 *
 * The notes are written by hand, as sys/sdt.h would write them, since that header is in no package a test
 * machine must have.  lab:step has two places that keep their arguments in different ways; lab:rare has a
 * semaphore, which whoever attaches must raise.
 */
#include <stdlib.h>

#define NOTE(name, semaphore, arguments)                                                             \
    "990: nop\n"                                                                                     \
    ".pushsection .note.stapsdt,\"?\",\"note\"\n"                                                    \
    ".balign 4\n"                                                                                    \
    ".4byte 992f-991f, 994f-993f, 3\n"                                                               \
    "991: .asciz \"stapsdt\"\n"                                                                      \
    "992: .balign 4\n"                                                                               \
    "993: .8byte 990b, _.stapsdt.base, " semaphore "\n"                                              \
    ".asciz \"lab\"\n"                                                                               \
    ".asciz \"" name "\"\n"                                                                          \
    ".asciz \"" arguments "\"\n"                                                                     \
    "994: .balign 4\n"                                                                               \
    ".popsection\n"                                                                                  \
    ".ifndef _.stapsdt.base\n"                                                                       \
    ".pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n"                          \
    ".weak _.stapsdt.base\n"                                                                         \
    ".hidden _.stapsdt.base\n"                                                                       \
    "_.stapsdt.base: .space 1\n"                                                                     \
    ".size _.stapsdt.base, 1\n"                                                                      \
    ".popsection\n"                                                                                  \
    ".endif\n"

volatile unsigned short lab_rare_semaphore __attribute__((section(".probes"), used));

__attribute__((noinline)) static void step(int number, long square)
{
    asm volatile(NOTE("step", "0", "-4@%[a] 8@%[b] -4@%[c]") : : [a] "r"(number), [b] "m"(square), [c] "i"(-7));
    asm volatile(NOTE("step", "0", "-4@%[a] 8@%[b] -4@%[c]") : : [a] "m"(number), [b] "r"(square), [c] "i"(7));
    if (lab_rare_semaphore)
        asm volatile(NOTE("rare", "lab_rare_semaphore", "-4@%[a]") : : [a] "r"(number));
}

int main(int argc, char **argv)
{
    int steps = argc > 1 ? atoi(argv[1]) : 1;
    for (int number = 0; number < steps; number++)
        step(-number, (long)number * number << 32);
    return 0;
}
