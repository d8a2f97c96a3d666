/* Runs a program and keeps what it printed. */
#ifndef OSPREY_TESTS_PROCESS_H
#define OSPREY_TESTS_PROCESS_H

#include <stddef.h>
#include <sys/types.h>

struct outcome {
    int status;      /* exit status; 128 + signal if one ended it */
    char *out, *err; /* NUL-terminated */
    size_t out_size;
};

/* The program under test: $OSPREY, else osprey in $BUILD, else beside the folder of this test program. */
void process_find(const char *argv0);

/* argv without the program's name, NULL-terminated. input: what standard input gives, NULL: nothing. out_path: where standard
 * output goes instead of `out`; NULL: kept. A program that takes longer than two minutes is killed. */
struct outcome process_run(const char *const *argv, const void *input, size_t input_size, const char *out_path);
void process_free(struct outcome *outcome);

/* The test fails, and shows all, unless it ended so and said these; frees the outcome. */
void process_expect(struct outcome outcome, int status, const char *in_out, const char *in_err);

/* The same in two steps, for what happens in between. Standard input is a pipe that stays open until the wait. */
struct process {
    pid_t pid;
    int in, out, err; /* in: the pipe's end, out and err: files */
};
struct process process_start(const char *const *argv, const char *out_path);
struct outcome process_wait(struct process *process);

#endif
