#include "markup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { DEPTH = 64 };

struct reader {
    const char *at;
    char open[DEPTH][24];
    int depth;
};

static bool is_void(const char *name) { return !strcmp(name, "meta") || !strcmp(name, "img") || !strcmp(name, "wbr"); }

static void read_word(struct reader *r, char *word, size_t room)
{
    size_t length = strspn(r->at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
    assert_in_range(length, 1, room - 1);
    memcpy(word, r->at, length);
    word[length] = 0;
    r->at += length;
}

static void read_entity(struct reader *r)
{
    static const char *const known[] = {"&amp;", "&lt;", "&gt;", "&quot;"};
    for (int i = 0; i < 4; i++)
        if (!strncmp(r->at, known[i], strlen(known[i]))) {
            r->at += strlen(known[i]);
            return;
        }
    fail_msg("an entity that is none: %.40s", r->at);
}

static void read_attributes(struct reader *r)
{
    char seen[16][32];
    for (int count = 0; *r->at == ' '; count++) {
        r->at++;
        read_word(r, seen[count], sizeof seen[0]);
        for (int i = 0; i < count; i++)
            assert_string_not_equal(seen[i], seen[count]);
        assert_true(r->at[0] == '=' && r->at[1] == '"');
        for (r->at += 2; *r->at != '"';) {
            assert_true(*r->at && *r->at != '<');
            if (*r->at == '&')
                read_entity(r);
            else
                r->at++;
        }
        r->at++;
    }
    assert_int_equal(*r->at++, '>');
}

static void read_tag(struct reader *r)
{
    char name[24];
    if (!strncmp(r->at, "<!DOCTYPE html>", 15)) {
        r->at += 15;
        return;
    }
    bool end = r->at[1] == '/';
    r->at += end ? 2 : 1;
    read_word(r, name, sizeof name);
    if (end) {
        assert_true(r->depth > 0);
        assert_string_equal(r->open[--r->depth], name);
        assert_int_equal(*r->at++, '>');
        return;
    }
    read_attributes(r);
    if (is_void(name))
        return;
    assert_true(r->depth < DEPTH);
    strcpy(r->open[r->depth++], name);
    if (!strcmp(name, "style")) /* raw text */
        r->at = strstr(r->at, "</style>");
}

void assert_well_formed(const char *text)
{
    struct reader r = {.at = text};
    while (*r.at) {
        assert_true(*r.at != '>');
        if (*r.at == '<')
            read_tag(&r);
        else if (*r.at == '&')
            read_entity(&r);
        else
            r.at++;
    }
    assert_int_equal(r.depth, 0);
}
