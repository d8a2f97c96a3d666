/* Charts and what they are made of: files that stand alone, axes, figures, the writer of markup. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "markup.h"
#include "scratch.h"
#include "studies.h"
#include "tools/report/charts.h"
#include "tools/report/report.h"

static void charts_are_files_of_their_own(void **state)
{
    static const char *const names[] = {"time",    "stages",   "speedups", "amdahl",   "start",    "batch",    "size",
                                        "threads", "layers-1", "layers-2", "layers-3", "layers-4", "layers-5", "layers-8"};
    enum { COUNT = sizeof names / sizeof *names };
    struct study study;
    studies_full(&study);
    assert_int_equal(charts_write(&study, at("")), OSP_OK);
    assert_int_equal(entries(at("")), COUNT);
    for (int i = 0; i < COUNT; i++) {
        char name[40];
        snprintf(name, sizeof name, "%s.svg", names[i]);
        char *text = get_file(at(name), NULL);
        assert_well_formed(text);
        assert_int_equal(strncmp(text, "<svg xmlns=\"http://www.w3.org/2000/svg\" ", 40), 0);
        assert_null(strstr(text, "nan"));
        assert_null(strstr(text, "inf\""));
        free(text);
    }
    study_free(&study);
}

static void axes_have_round_ticks_that_span_the_range(void **state)
{
    static const struct {
        double low, high;
        bool log;
    } ranges[] = {{0, 1, false}, {0, 33.8e-3, false}, {0, 7e9, false},   {1, 1.07, false},
                  {1, 2, true},  {0.017, 5.2, true},  {3e-6, 4e4, true}, {8, 8, true},
                  {5, 5, false}, {NAN, 2, false},     {-1, 5, true},     {INFINITY, -INFINITY, false},
                  {0, 0, false}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        for (int most = 2; most <= AXIS_TICKS; most++) {
            struct axis axis = axis_make(ranges[i].low, ranges[i].high, ranges[i].log, UNIT_PLAIN, most);
            axis.from = 100;
            axis.to = 300;
            assert_in_range(axis.tick_count, 1, AXIS_TICKS);
            assert_true(axis.low < axis.high);
            bool usable = ranges[i].high > 0 && ranges[i].low <= ranges[i].high && (!ranges[i].log || ranges[i].low > 0);
            assert_true(!usable || (axis_holds(&axis, ranges[i].low) && axis_holds(&axis, ranges[i].high)));
            for (int t = 0; t < axis.tick_count; t++) {
                double digit = axis.ticks[t] == 0 ? 1 : axis.ticks[t] / pow(10, floor(log10(axis.ticks[t]) + 1e-9));
                assert_true(fabs(digit * 100 - round(digit * 100)) < 1e-6);
                assert_true(axis_holds(&axis, axis.ticks[t]));
                assert_in_range((int)axis_at(&axis, axis.ticks[t]), 100, 300);
                assert_true(t == 0 || axis.ticks[t] > axis.ticks[t - 1]);
            }
        }
    }
}

static void an_axis_maps_values_to_pixels(void **state)
{
    struct axis axis = axis_make(1, 100, true, UNIT_PLAIN, 8);
    axis.from = 0;
    axis.to = 200;
    assert_true(fabs(axis_at(&axis, 10) - 100) < 1e-9); /* the middle of two decades */
    assert_true(axis_at(&axis, 1e9) == 200 && axis_at(&axis, 1e-9) == 0);
    axis = axis_make(0, 10, false, UNIT_PLAIN, 6);
    axis.from = 300; /* upward */
    axis.to = 100;
    assert_true(fabs(axis_at(&axis, 5) - 200) < 1e-9);
}

static void figures_have_three_digits_and_a_unit(void **state)
{
    static const struct {
        double value;
        enum unit unit;
        const char *text, *tick;
    } figures[] = {
        {0.0123, UNIT_SECONDS, "12.3 ms", "12.3 ms"},
        {0.05, UNIT_SECONDS, "50.0 ms", "50 ms"},
        {9.9996e-4, UNIT_SECONDS, "1.00 ms", "1 ms"},
        {0, UNIT_SECONDS, "0 s", "0 s"},
        {83.4, UNIT_SECONDS, "83.4 s", "83.4 s"},
        {4e-7, UNIT_SECONDS, "400 ns", "400 ns"},
        {1.5, UNIT_RATIO, "1.50\xc3\x97", "1.5\xc3\x97"},
        {0.0177, UNIT_RATIO, "0.0177\xc3\x97", "0.0177\xc3\x97"},
        {0.256, UNIT_SHARE, "26 %", "26 %"},
        {0.012, UNIT_SHARE, "1.2 %", "1.2 %"},
        {2e11, UNIT_FLOPS, "200 GFLOP/s", "200 GFLOP/s"},
        {8e12, UNIT_FLOPS, "8.00 TFLOP/s", "8 TFLOP/s"},
        {34e9, UNIT_BANDWIDTH, "34.0 GB/s", "34 GB/s"},
        {1536, UNIT_BYTES, "1.50 KiB", "1.5 KiB"},
        {NAN, UNIT_SECONDS, "\xe2\x80\x93", "\xe2\x80\x93"},
    };
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        char text[FIGURE_ROOM];
        assert_string_equal(figure(text, figures[i].value, figures[i].unit), figures[i].text);
        assert_string_equal(figure_tick(text, figures[i].value, figures[i].unit), figures[i].tick);
    }
}

static void a_writer_that_is_misused_says_so(void **state)
{
    struct html html;
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    html_begin(&html, stream);
    html_open(&html, "p");
    assert_false(html_done(&html));
    html_close(&html, "div");
    html_close(&html, "p");
    assert_false(html_done(&html)); /* closed what was not open */
    fclose(stream);
    free(text);
}

static void base64_is_that_of_the_standard(void **state) /* RFC 4648, section 10 */
{
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (int i = 0; i < 7; i++) {
        struct html html;
        char *text = NULL, wanted[80];
        size_t size;
        FILE *stream = open_memstream(&text, &size);
        html_begin(&html, stream);
        html_open(&html, "img");
        html_data(&html, "src", "a/b", (const uint8_t *)pairs[i][0], strlen(pairs[i][0]));
        html_close(&html, "img");
        assert_true(html_done(&html));
        fclose(stream);
        snprintf(wanted, sizeof wanted, "<img src=\"data:a/b;base64,%s\">", pairs[i][1]);
        assert_string_equal(text, wanted);
        free(text);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, scratch_empty)
    const struct CMUnitTest tests[] = {
        TEST(charts_are_files_of_their_own),    TEST(axes_have_round_ticks_that_span_the_range),
        TEST(an_axis_maps_values_to_pixels),    TEST(figures_have_three_digits_and_a_unit),
        TEST(a_writer_that_is_misused_says_so), TEST(base64_is_that_of_the_standard),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
