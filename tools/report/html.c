#include "html.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "../tools.h"

static bool is_void(const char *name) { return !strcmp(name, "meta") || !strcmp(name, "img") || !strcmp(name, "br"); }

void html_begin(struct html *html, FILE *stream) { *html = (struct html){.stream = stream}; }

void html_doctype(struct html *html) { fputs("<!DOCTYPE html>\n", html->stream); }

bool html_done(struct html *html) { return !html->broken && html->depth == 0 && !html->in_tag; }

static void end_tag(struct html *html)
{
    if (html->in_tag)
        fputc('>', html->stream);
    html->in_tag = false;
}

void html_open(struct html *html, const char *name)
{
    end_tag(html);
    fprintf(html->stream, "<%s", name);
    html->in_tag = true;
    if (is_void(name))
        return;
    if (html->depth == HTML_DEPTH)
        html->broken = true;
    else
        html->open[html->depth++] = name;
}

void html_close(struct html *html, const char *name)
{
    end_tag(html);
    if (is_void(name))
        return;
    if (html->depth == 0 || strcmp(html->open[html->depth - 1], name) != 0) {
        html->broken = true;
        return;
    }
    html->depth--;
    fprintf(html->stream, "</%s>", name);
    if (strcmp(name, "span") && strcmp(name, "code") && strcmp(name, "strong") && strcmp(name, "tspan"))
        fputc('\n', html->stream);
}

/* UTF-8 that HTML and XML both allow: clean_text leaves only U+FFFE and U+FFFF to be replaced. */
static void escaped(struct html *html, const char *text)
{
    char *clean = clean_text(text, false);
    html->broken |= !clean;
    for (const char *s = clean; s && *s; s++) {
        if (!strncmp(s, "\xef\xbf\xbe", 3) || !strncmp(s, "\xef\xbf\xbf", 3)) {
            fputs("\xef\xbf\xbd", html->stream);
            s += 2;
            continue;
        }
        const char *entity = *s == '&' ? "&amp;" : *s == '<' ? "&lt;" : *s == '>' ? "&gt;" : *s == '"' ? "&quot;" : NULL;
        if (entity)
            fputs(entity, html->stream);
        else
            fputc(*s, html->stream);
    }
    free(clean);
}

static void formatted(struct html *html, const char *format, va_list args)
{
    char *text = NULL;
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    html->broken |= !text;
    escaped(html, text ? text : "");
    free(text);
}

void html_attr(struct html *html, const char *name, const char *format, ...)
{
    va_list args;
    html->broken |= !html->in_tag;
    fprintf(html->stream, " %s=\"", name);
    va_start(args, format);
    formatted(html, format, args);
    va_end(args);
    fputc('"', html->stream);
}

void html_text(struct html *html, const char *text)
{
    end_tag(html);
    escaped(html, text);
}

void html_say(struct html *html, const char *format, ...)
{
    va_list args;
    end_tag(html);
    va_start(args, format);
    formatted(html, format, args);
    va_end(args);
}

void html_prose(struct html *html, const char *text)
{
    for (const char *option; (option = strstr(text, "--")) != NULL;) {
        size_t length = 2 + strspn(option + 2, "abcdefghijklmnopqrstuvwxyz-");
        html_say(html, "%.*s", (int)(option - text), text);
        html_open(html, "span");
        html_attr(html, "class", "nb");
        html_say(html, "%.*s", (int)length, option);
        html_close(html, "span");
        text = option + length;
    }
    html_text(html, text);
}

void html_raw(struct html *html, const char *markup)
{
    end_tag(html);
    fputs(markup, html->stream);
}

void html_element(struct html *html, const char *name, const char *class, const char *text)
{
    html_open(html, name);
    if (class)
        html_attr(html, "class", "%s", class);
    html_text(html, text);
    html_close(html, name);
}

void html_element_say(struct html *html, const char *name, const char *class, const char *format, ...)
{
    va_list args;
    html_open(html, name);
    if (class)
        html_attr(html, "class", "%s", class);
    end_tag(html);
    va_start(args, format);
    formatted(html, format, args);
    va_end(args);
    html_close(html, name);
}

void html_data(struct html *html, const char *attribute, const char *type, const uint8_t *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (!html->in_tag)
        html->broken = true;
    fprintf(html->stream, " %s=\"data:%s;base64,", attribute, type);
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        unsigned group = (unsigned)data[i] << 16 | (left > 1 ? (unsigned)data[i + 1] << 8 : 0) | (left > 2 ? data[i + 2] : 0);
        fputc(digits[group >> 18], html->stream);
        fputc(digits[group >> 12 & 63], html->stream);
        fputc(left > 1 ? digits[group >> 6 & 63] : '=', html->stream);
        fputc(left > 2 ? digits[group & 63] : '=', html->stream);
    }
    fputc('"', html->stream);
}
