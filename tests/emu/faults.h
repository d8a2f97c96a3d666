/* The faults that are planted in the kernels of this folder: how each kernel is launched, what it computes when it is right, and
 * what must be noticed when it is not. */
#ifndef OSPREY_TESTS_EMU_FAULTS_H
#define OSPREY_TESTS_EMU_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

enum { ROOM = 4096, PLANTED = 26 };

struct data { /* what a kernel gets, and what it must make of it; `out` starts as zeros */
    float a[ROOM], b[ROOM], out[ROOM];
};

/* The reports that a fault must and may cause are at lines marked with its number, by kernel, block and thread given here. */
struct planted {
    int number;
    const char *what;
    const char *must; /* kinds of reports of the checked build, all of which come in some order of threads; NULL: none does */
    const char *may;  /* kinds that may come besides */
    const char *companion; /* what notices it where the checked build does not */
    unsigned grid[3], block[3];
    int n;
    int count; /* of `out`, that are compared */
    void (*want)(struct data *);
    unsigned first_thread, first_block; /* the guilty ones: from these on */
    bool tight;                         /* `a` and `out` have n elements, no more */
    bool host;                          /* `a` is in host memory */
    bool unrounded;                     /* `a` needs rounding to tf32 */
};

/* Companions */
#define VALUES  "values"
#define SEEDED  "seeds: bits differ"
#define BOUNDS  "-fsanitize=bounds"
#define PATTERN "-ftrivial-auto-var-init, warning"

extern const struct planted planted[PLANTED];

/* What the kernel is given and what it must compute. */
void fault_data(const struct planted *fault, struct data *given, struct data *want);
bool fault_right(const struct planted *fault, const struct data *got, const struct data *want);

/* Whether a word is in a list of words; NULL: an empty list. */
bool among(const char *list, const char *word);

#endif
