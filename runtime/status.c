/* Failures as sentences, and the clock. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "backend.h"
#include "build.h"

enum { SENTENCE = 5120 }; /* the longest path (4096) and what is to be said of it */

static _Thread_local char sentence[SENTENCE];

const char *osp_message(void) { return sentence; }

osp_status osp_fail(osp_status code, const char *format, ...)
{
    char text[SENTENCE]; /* apart from `sentence`, which may be among the arguments */
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length < 0)
        snprintf(text, sizeof text, "an error whose text could not be made");
    else if (length >= SENTENCE)
        memcpy(text + SENTENCE - 4, "...", 4);

    /* File names may hold anything: no line break and no terminal command gets into a sentence. */
    for (char *c = text; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    }
    memcpy(sentence, text, strlen(text) + 1);
    return code;
}

double osp_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
