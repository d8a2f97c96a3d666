/* What the subcommands of osprey share: exit statuses, text that is safe to print, and the tools themselves. */
#ifndef OSPREY_TOOLS_H
#define OSPREY_TOOLS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "runtime/osprey.h"

/* DESIGN section 9; --help and osprey.1 list them. A signal ends with 128 + its number. */
enum exit_status {
    EXIT_DONE = 0,
    EXIT_IMAGE = 1,     /* finished, but an image failed */
    EXIT_DIFFERENT = 1, /* finished, but something has become slower, or a column of several failed */
    EXIT_USAGE = 2,
    EXIT_MODEL = 3,    /* a model or checkpoint was refused */
    EXIT_BACKEND = 4,  /* a backend, device, library or memory is not there */
    EXIT_UNWRITTEN = 5 /* an output could not be written */
};

/* Subcommands: argv[0] is the subcommand's name. Each returns an exit status. */
int tool_detect(int argc, char **argv);
int tool_convert(int argc, char **argv);
int tool_info(int argc, char **argv);
int tool_bench(int argc, char **argv);
int tool_compare(int argc, char **argv);
int tool_ladder(int argc, char **argv); /* tools/ladder/command.c */

extern const char exit_help[]; /* the exit statuses, for --help */

/* The exit status that a failure outside the images deserves. */
int exit_of(osp_status status);

/* One line on stderr, "osprey: " + words, with whatever could upset a terminal escaped. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Says osp_message(), and returns exit_of(status). */
int say_failure(osp_status status);

/* The same for opening a model: one that cannot be read is a model refused, not a failed image. */
int say_model_failure(osp_status status);

/* Flushes standard output. OSP_UNWRITTEN if anything written to it was lost. */
osp_status stdout_flush(void);

/* A copy in valid UTF-8 without control characters: bytes that are neither, and newlines, become \xNN. `keep_controls` leaves
 * control characters alone (JSON has its own escapes for them). Free with free(); NULL when out of memory. */
char *clean_text(const char *text, bool keep_controls);

/* Text as a CSV field (RFC 4180), quoted where it must be. */
void print_csv_field(FILE *stream, const char *text);

/* A whole file or nothing (runtime/file.h, osp_writer); the path "-" is standard output. */
struct osp_writer;
osp_status result_open(const char *path, struct osp_writer *out); /* OSP_UNWRITTEN, OSP_MEMORY */
osp_status result_commit(struct osp_writer *writer);              /* OSP_UNWRITTEN */

/* A JSON object as such a file, with jansson's flags; takes the object over. NULL, or no memory: OSP_MEMORY. */
struct json_t;
osp_status result_write_json(const char *path, struct json_t *object, size_t flags);

/* Writes the session's file of packed weights, if it has one that lacks any, and says so, and why the one that was there was not used.
 * A failure has been said. */
osp_status pack_cache_write(struct osp_session *session, bool quiet);

/* "osprey bench ...": the command as it could be typed into a shell again. Free with free(); NULL when out of memory. */
char *typed_command(int argc, char **argv);

/* The last part of a path. */
const char *base_name(const char *path);

const char *commit_name(void); /* of the source this was built from; "unknown" outside git */

#endif
