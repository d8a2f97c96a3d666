#include "process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_ARGUMENTS = 40, SECONDS = 120 };

static char program[4096];

static void must(int condition, const char *what)
{
    if (!condition) {
        perror(what);
        abort();
    }
}

void process_find(const char *argv0)
{
    const char *named = getenv("OSPREY"), *build = getenv("BUILD");
    const char *slash = strrchr(argv0, '/');
    if (named)
        snprintf(program, sizeof program, "%s", named);
    else if (build)
        snprintf(program, sizeof program, "%s/osprey", build);
    else
        snprintf(program, sizeof program, "%.*s/../osprey", slash ? (int)(slash - argv0) : 1, slash ? argv0 : ".");
    must(access(program, X_OK) == 0, program);
}

struct process process_start(const char *const *argv, const char *out_path)
{
    char *arguments[MOST_ARGUMENTS + 2] = {program};
    int pipes[2], count = 0;
    for (; argv[count]; count++) {
        must(count < MOST_ARGUMENTS, "too many arguments");
        arguments[count + 1] = (char *)argv[count];
    }
    struct process process = {.out = memfd_create("out", MFD_CLOEXEC), .err = memfd_create("err", MFD_CLOEXEC)};
    must(process.out >= 0 && process.err >= 0 && pipe2(pipes, O_CLOEXEC) == 0, "pipes");
    process.in = pipes[1];
    process.pid = fork();
    must(process.pid >= 0, "fork");
    if (process.pid == 0) {
        int out = out_path ? open(out_path, O_WRONLY | O_CLOEXEC) : process.out;
        must(out >= 0 && dup2(pipes[0], 0) == 0 && dup2(out, 1) == 1 && dup2(process.err, 2) == 2, "dup2");
        alarm(SECONDS);
        execv(program, arguments);
        _exit(127);
    }
    close(pipes[0]);
    return process;
}

static char *read_all(int fd, size_t *size)
{
    off_t length = lseek(fd, 0, SEEK_END);
    char *text = malloc((size_t)length + 1);
    must(text && pread(fd, text, (size_t)length, 0) == length, "read");
    text[length] = 0;
    *size = (size_t)length;
    close(fd);
    return text;
}

struct outcome process_wait(struct process *process)
{
    struct outcome outcome;
    int status;
    size_t err_size;
    close(process->in);
    must(waitpid(process->pid, &status, 0) == process->pid, "waitpid");
    outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    outcome.out = read_all(process->out, &outcome.out_size);
    outcome.err = read_all(process->err, &err_size);
    return outcome;
}

struct outcome process_run(const char *const *argv, const void *input, size_t input_size, const char *out_path)
{
    struct process process = process_start(argv, out_path);
    void (*before)(int) = signal(SIGPIPE, SIG_IGN); /* a program that does not read is not an error here */
    for (size_t at = 0; at < input_size;) {
        ssize_t count = write(process.in, (const char *)input + at, input_size - at);
        if (count <= 0)
            break;
        at += (size_t)count;
    }
    signal(SIGPIPE, before);
    return process_wait(&process);
}

void process_free(struct outcome *outcome)
{
    free(outcome->out);
    free(outcome->err);
}

void process_expect(struct outcome outcome, int status, const char *in_out, const char *in_err)
{
    int right = outcome.status == status && strstr(outcome.out, in_out) && strstr(outcome.err, in_err);
    if (!right)
        print_error("status %d, expected %d with \"%s\" and \"%s\"\nout: %s\nerr: %s\n", outcome.status, status, in_out, in_err,
                    outcome.out, outcome.err);
    process_free(&outcome);
    assert_true(right);
}
