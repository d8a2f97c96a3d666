/* What a batch will take, and how many pictures a memory limit lets through: tools/forecast.h, and osprey detect under a limit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "process.h"
#include "scratch.h"
#include "seeded.h"
#include "tools/forecast.h"
#include "tools/image/image.h"

static struct osp_model *model;
static struct osp_session *session;

static int begin(void **state)
{
    return scratch_begin(state) || osp_model_open(OSP_SOURCE "/models/demo/demo.safetensors", &model) ||
           osp_session_open(model, &(struct osp_session_options){.threads = 1}, &session);
}

static int end(void **state)
{
    osp_session_close(session);
    osp_model_close(model);
    return scratch_end(state);
}

/* The arena is the plan's own, for the largest picture of the batch, padded. */
static void a_forecast_is_the_plan_s(void **state)
{
    struct budget budget;
    struct batch_size batch = {0};
    struct forecast forecast;
    const struct osp_plan *plan;
    struct osp_plan_memory memory;
    assert_int_equal(budget_open(&budget, model, session, 0), OSP_OK);
    assert_int_equal(batch_add(&budget, &batch, 300, 400), OSP_OK); /* 320x426 of the network */
    assert_int_equal(batch_add(&budget, &batch, 640, 480), OSP_OK); /* 426x320 */
    assert_int_equal(batch.height, 448);
    assert_int_equal(batch.width, 448);
    assert_int_equal(budget_forecast(&budget, &batch, &forecast), OSP_OK);
    assert_int_equal(osp_session_plan(session, 2, 448, 448, &plan), OSP_OK);
    osp_plan_memory(plan, &memory);
    assert_true(forecast.arena == (double)memory.arena);
    assert_true(forecast.pictures == 2 * 3 * (300 * 400 + 640 * 480));
    assert_true(forecast.decoding == 3 * 3 * 640 * 480);
    assert_true(forecast.weights == (double)memory.weights);
    assert_true(forecast.weights >= 4.0 * (double)budget.model.parameters); /* Winograd's are more than the file's */
    assert_true(forecast.total == forecast.arena + forecast.weights + forecast.pictures + forecast.decoding);
}

/* The chunk fits, and one picture more would not: found from both sides. */
static void a_chunk_is_as_large_as_the_limit_lets_it_be(void **state)
{
    struct budget budget;
    assert_int_equal(budget_open(&budget, model, session, 0), OSP_OK);
    static const double limits[] = {1e6, 4e7, 7e7, 1.7e8, 4.2e8, 2e9};
    int largest = -1;
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        int chunk = -1;
        budget.left = limits[i];
        assert_int_equal(budget_chunk(&budget, 600, 800, 40, &chunk), OSP_OK);
        assert_true(chunk >= largest && chunk <= 40);
        largest = chunk;
        for (int n = chunk; n <= chunk + 1 && n <= 40; n++) {
            struct batch_size batch = {0};
            bool fits = true;
            for (int k = 0; k < n; k++)
                assert_int_equal(batch_add(&budget, &batch, 600, 800), OSP_OK);
            if (n > 0)
                assert_int_equal(budget_allows(&budget, &batch, &fits), OSP_OK);
            assert_int_equal(fits, n == chunk);
        }
    }
    assert_int_equal(largest, 40);
}

static void too_large_for_the_limit_is_said_with_bytes(void **state)
{
    struct budget budget;
    assert_int_equal(budget_open(&budget, model, session, 1e6), OSP_OK);
    assert_int_equal(budget_refuse(&budget, "photo.jpg", 3000, 4000), OSP_MEMORY);
    assert_non_null(strstr(osp_message(), "photo.jpg: 4000x3000 pixels need "));
    assert_non_null(strstr(osp_message(), "the memory limit of 1 MB leaves 0"));
}

static void put_large_photo(const char *path)
{
    enum { W = 4000, H = 3000 };
    struct osp_image image = {.width = W, .height = H, .rgb = malloc(3 * W * H)};
    assert_non_null(image.rgb);
    seeded_picture(W, H, 1, image.rgb);
    FILE *stream = fopen(path, "wb");
    assert_int_equal(osp_image_save(stream, path, OSP_FORMAT_JPEG, &image), OSP_OK);
    fclose(stream);
    free(image.rgb);
}

/* Lines of the table that name this file. */
static int results_of(const char *text, const char *file)
{
    int count = 0;
    for (const char *at_name = text; (at_name = strstr(at_name, file)); at_name++)
        count++;
    return count;
}

static void detect_runs_in_parts_under_a_limit(void **state)
{
    char *photo = strdup(at("photo.jpg"));
    put_large_photo(photo);
    struct outcome outcome = process_run((const char *const[]){"detect", "--batch", "6", "--memory-limit", "500M", "--threads",
                                                               "1", photo, photo, photo, photo, photo, photo, NULL},
                                         NULL, 0, NULL);
    assert_int_equal(outcome.status, 0);
    assert_int_equal(results_of(outcome.out, "photo.jpg"), 6);
    assert_non_null(strstr(outcome.err, "6 pictures, "));
    assert_non_null(strstr(outcome.err, "memory limit 500 MB: at most "));
    assert_non_null(strstr(outcome.err, " pictures at a time instead of 6"));
    process_free(&outcome);
    outcome = process_run((const char *const[]){"detect", "--memory-limit", "1M", photo, NULL}, NULL, 0, NULL);
    assert_int_equal(outcome.status, 1);
    assert_non_null(strstr(outcome.err, "photo.jpg: 4000x3000 pixels need "));
    process_free(&outcome);
    outcome = process_run((const char *const[]){"detect", "--memory-limit", "12X", photo, NULL}, NULL, 0, NULL);
    assert_int_equal(outcome.status, 2);
    assert_non_null(strstr(outcome.err, "allowed are bytes, as 512M or 1G"));
    process_free(&outcome);
    free(photo);
}

int main(int argc, char **argv)
{
    process_find(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_forecast_is_the_plan_s),
        cmocka_unit_test(a_chunk_is_as_large_as_the_limit_lets_it_be),
        cmocka_unit_test(too_large_for_the_limit_is_said_with_bytes),
        cmocka_unit_test_teardown(detect_runs_in_parts_under_a_limit, scratch_empty),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
