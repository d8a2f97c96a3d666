/* Text that is safe to print, and the words that all subcommands share. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/file.h"
#include "tools.h"

const char exit_help[] = "exit status:\n"
                         "  0  done\n"
                         "  1  finished, but an image could not be read or processed;\n"
                         "     bench: something is slower; compare: columns differ; both: a column failed\n"
                         "  2  the command line asks for something that does not exist\n"
                         "  3  a model or checkpoint was refused\n"
                         "  4  a backend, a device or memory is not available\n"
                         "  5  an output could not be written\n"
                         "  130, 143  stopped by SIGINT or SIGTERM; what was complete is written\n";

int exit_of(osp_status status)
{
    switch (status) {
    case OSP_OK:
        return EXIT_DONE;
    case OSP_USAGE:
        return EXIT_USAGE;
    case OSP_REFUSED:
        return EXIT_MODEL;
    case OSP_UNWRITTEN:
        return EXIT_UNWRITTEN;
    case OSP_UNAVAILABLE:
    case OSP_MEMORY:
    case OSP_BUSY:
        return EXIT_BACKEND;
    default:
        return EXIT_IMAGE;
    }
}

/* Bytes of the well-formed UTF-8 character at s; 0: none (overlong forms and surrogates are not well formed). */
static int utf8_bytes(const unsigned char *s)
{
    static const unsigned least[5] = {0, 0, 0x80, 0x800, 0x10000};
    int count = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : (s[0] & 0xf8) == 0xf0 ? 4 : 0;
    if (count <= 1)
        return count;
    unsigned code = s[0] & (0x7fu >> count);
    for (int i = 1; i < count; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (s[i] & 0x3f);
    }
    bool well_formed = code >= least[count] && code <= 0x10ffff && !(code >= 0xd800 && code < 0xe000);
    return well_formed ? count : 0;
}

char *clean_text(const char *text, bool keep_controls)
{
    char *clean = malloc(strlen(text) * 4 + 1), *to = clean;
    if (!clean)
        return NULL;
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        int count = utf8_bytes(s);
        bool control = s[0] < 0x20 || s[0] == 0x7f || (count == 2 && s[0] == 0xc2 && s[1] < 0xa0);
        if (count && (!control || keep_controls)) {
            memcpy(to, s, (size_t)count);
            to += count;
            s += count;
        } else {
            to += sprintf(to, "\\x%02x", *s++);
        }
    }
    *to = 0;
    return clean;
}

void say(const char *format, ...)
{
    char *line = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&line, format, args) < 0)
        line = NULL;
    va_end(args);
    char *clean = line ? clean_text(line, false) : NULL;
    fprintf(stderr, "osprey: %s\n", clean ? clean : "out of memory");
    free(clean);
    free(line);
}

int say_failure(osp_status status)
{
    say("%s", osp_message());
    return exit_of(status);
}

int say_model_failure(osp_status status)
{
    int exit = say_failure(status);
    return status == OSP_UNREADABLE ? EXIT_MODEL : exit;
}

const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* What a shell takes as it stands; other bytes of ASCII may mean something to it. */
static bool is_plain(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c >= 0x80 || strchr("_@%+=:,./-", c);
}

/* Appends the word, in single quotes where it needs them. Returns where it ends. */
static char *put_word(char *to, const char *word)
{
    bool plain = *word != 0;
    for (const char *c = word; *c; c++)
        plain = plain && is_plain((unsigned char)*c);
    if (plain)
        return stpcpy(to, word);
    *to++ = '\'';
    for (; *word; word++)
        if (*word == '\'')
            to = stpcpy(to, "'\\''");
        else
            *to++ = *word;
    return stpcpy(to, "'");
}

char *typed_command(int argc, char **argv)
{
    size_t size = sizeof "osprey";
    for (int i = 0; i < argc; i++)
        size += 4 * strlen(argv[i]) + 3; /* a quote takes four bytes; quotes around, and a blank before */
    char *command = malloc(size);
    if (!command)
        return NULL;
    char *to = stpcpy(command, "osprey");
    for (int i = 0; i < argc; i++) {
        *to++ = ' ';
        to = put_word(to, argv[i]);
    }
    return command;
}

const char *commit_name(void) { return OSP_COMMIT[0] ? OSP_COMMIT : "unknown"; }

osp_status stdout_flush(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return OSP_OK;
    return osp_fail(OSP_UNWRITTEN, "standard output cannot be written: %s", errno ? strerror(errno) : "an earlier write failed");
}

void print_csv_field(FILE *stream, const char *text)
{
    char *clean = clean_text(text, false);
    bool quote = clean && strpbrk(clean, ",\"");
    if (quote)
        fputc('"', stream);
    for (const char *p = clean; p && *p; p++) {
        if (*p == '"')
            fputc('"', stream);
        fputc(*p, stream);
    }
    if (quote)
        fputc('"', stream);
    free(clean);
}

osp_status result_open(const char *path, struct osp_writer *out)
{
    *out = (struct osp_writer){.stream = stdout};
    return strcmp(path, "-") == 0 ? OSP_OK : osp_writer_open(path, out);
}

osp_status result_commit(struct osp_writer *writer) { return writer->path ? osp_writer_commit(writer) : stdout_flush(); }

osp_status result_write_json(const char *path, struct json_t *object, size_t flags)
{
    struct osp_writer writer;
    osp_status status = object ? result_open(path, &writer) : osp_fail(OSP_MEMORY, "out of memory for JSON");
    if (!status) {
        json_dumpf(object, writer.stream, flags);
        fputc('\n', writer.stream);
        status = result_commit(&writer);
    }
    json_decref(object);
    return status;
}
