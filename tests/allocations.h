/* Counts heap allocations of the whole process, OpenMP's and libc's included. */
#ifndef OSPREY_TESTS_ALLOCATIONS_H
#define OSPREY_TESTS_ALLOCATIONS_H

/* Allocations since the start of the process; with the sanitizers on, counted by their hooks. */
long allocations_made(void);

#endif
