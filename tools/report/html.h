/* A small writer of HTML and SVG. Elements are opened, given attributes and text, and closed; every attribute and every text is
 * escaped, so that what comes from outside (file names, names of devices) cannot become markup. Nothing here returns a failure:
 * a stream's errors are found when it is committed, and html_done tells the rest. */
#ifndef OSPREY_TOOLS_REPORT_HTML_H
#define OSPREY_TOOLS_REPORT_HTML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { HTML_DEPTH = 48 };

struct html {
    FILE *stream;
    const char *open[HTML_DEPTH]; /* names of the elements around what comes next */
    int depth;
    bool in_tag; /* the innermost start tag still takes attributes */
    bool broken; /* an element too many, one closed that was not open, or no memory */
};

void html_begin(struct html *html, FILE *stream);
void html_doctype(struct html *html);
bool html_done(struct html *html); /* true: all that was opened is closed */

void html_open(struct html *html, const char *name);
void html_attr(struct html *html, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
void html_close(struct html *html, const char *name); /* the name is checked against the one that is open */

/* Text, escaped; bytes that are not UTF-8 and control characters become \xNN. */
void html_text(struct html *html, const char *text);
void html_say(struct html *html, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Markup of ours, a constant: a style sheet, an entity. Never text from outside. */
/* The same, with words that start with "--" kept whole at the end of a line. */
void html_prose(struct html *html, const char *text);
void html_raw(struct html *html, const char *markup);

/* A whole element: attribute class (NULL: none) and text. */
void html_element(struct html *html, const char *name, const char *class, const char *text);
void html_element_say(struct html *html, const char *name, const char *class, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* src="data:TYPE;base64,..." of the open start tag. */
void html_data(struct html *html, const char *attribute, const char *type, const uint8_t *data, size_t size);

#endif
