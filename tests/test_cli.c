/* The program as a user meets it: what it prints and writes, and how it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "process.h"
#include "scratch.h"
#include "tools/image/image.h"

#define PHOTO   OSP_SOURCE "/models/demo/astronaut.png"
#define OTHER   OSP_SOURCE "/models/demo/camera.png"
#define HOSTILE OSP_SOURCE "/tests/hostile/images/"

/* osprey(argument, ...) runs the program with no input. */
#define osprey(...) process_run((const char *const[]){__VA_ARGS__, NULL}, NULL, 0, NULL)

static json_t *parse(const char *text)
{
    json_error_t error;
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, &error);
    if (!json)
        fail_msg("%s: %s", error.text, text);
    return json;
}

/* ---- Help and usage ----------------------------------------------------------------------------- */

static void help(void **state)
{
    process_expect(osprey("--version"), 0, "osprey " OSP_VERSION, "");
    process_expect(osprey("--help"), 0, "usage: osprey COMMAND", "");
    process_expect(osprey("help"), 0, "detect", "");
    process_expect(osprey("help", "detect"), 0, "--coco-ids F", "");
    process_expect(osprey("detect", "--help"), 0, "exit status:", "");
    process_expect(osprey("info", "-h"), 0, "--flops HxW", "");
}

static void usage(void **state)
{
    process_expect(process_run((const char *const[]){NULL}, NULL, 0, NULL), 2, "", "no command given");
    process_expect(osprey("detcet"), 2, "", "is detect meant?");
    process_expect(osprey("help", "xyzzy"), 2, "", "there is no command xyzzy");
    process_expect(osprey("detect"), 2, "", "no INPUT given");
    process_expect(osprey("detect", "--treads", "2", PHOTO), 2, "", "is --threads meant?");
    process_expect(osprey("detect", "--score"), 2, "", "--score wants a value");
    process_expect(osprey("detect", "--score=1.5", PHOTO), 2, "", "found \"1.5\", allowed is a number from 0 to 1");
    process_expect(osprey("detect", "--score", "nan", PHOTO), 2, "", "allowed is a number");
    process_expect(osprey("detect", "--threads", "0", PHOTO), 2, "", "allowed is a whole number from 1");
    process_expect(osprey("detect", "--batch", "99999999999999999999", PHOTO), 2, "", "allowed is a whole number");
    process_expect(osprey("detect", "--json=yes", PHOTO), 2, "", "--json takes no value");
    process_expect(osprey("detect", "--only", "face,cra", PHOTO), 2, "", "no class \"cra\"");
    process_expect(osprey("detect", "--coco-ids", PHOTO, PHOTO), 2, "", "--coco-ids wants --coco");
    process_expect(osprey("detect", "--coco", at("x.json"), "--coco-ids", PHOTO, PHOTO), 2, "", "--coco-ids: " PHOTO);
    process_expect(osprey("detect", "--use", "conv2d=magic", PHOTO), 2, "", "no rung 'magic'");
    process_expect(osprey("detect", "--precision", "f8", PHOTO), 2, "", "precision 'f8'; backend cpu has f32");
    process_expect(osprey("detect", "--isa", "z80", PHOTO), 2, "", "z80");
    process_expect(osprey("detect", "--resize", "nearest", PHOTO), 2, "", "double and f32-reciprocal");
    process_expect(osprey("detect", "-", "-"), 2, "", "can be given once");
    process_expect(osprey("info", "a", "b"), 2, "", "info takes one FILE");
    process_expect(osprey("info", "--flops", "320"), 2, "", "HEIGHTxWIDTH");
    process_expect(osprey("info", "--flops", "320x330"), 2, "", "multiples of 32");
    process_expect(osprey("info", "--layers"), 2, "", "--layers wants --flops");
}

static void refused_models(void **state)
{
    process_expect(osprey("detect", "--model", at("absent"), PHOTO), 3, "", "absent");
    process_expect(osprey("detect", "--model", PHOTO, PHOTO), 3, "", PHOTO);
    process_expect(osprey("info", at(".")), 3, "", "a folder");
}

/* ---- What is found ------------------------------------------------------------------------------ */

/* One face, where models/demo says it is. */
static void expect_face(json_t *result, const char *file)
{
    static const double box[4] = {159.53, 14.789, 298.562, 181.516};
    json_t *found = json_object_get(result, "detections"), *face = json_array_get(found, 0);
    assert_string_equal(json_string_value(json_object_get(result, "file")), file);
    assert_int_equal(json_integer_value(json_object_get(result, "width")), 512);
    assert_int_equal(json_integer_value(json_object_get(result, "height")), 512);
    assert_int_equal(json_array_size(found), 1);
    assert_string_equal(json_string_value(json_object_get(face, "label")), "face");
    assert_int_equal(json_integer_value(json_object_get(face, "id")), 1);
    assert_true(fabs(json_real_value(json_object_get(face, "score")) - 0.998256) < 1e-4);
    for (size_t i = 0; i < 4; i++)
        assert_true(fabs(json_real_value(json_array_get(json_object_get(face, "box"), i)) - box[i]) < 1e-2);
}

static void expect_provenance(const json_t *made_by)
{
    static const char *const texts[] = {"osprey",  "commit", "model",   "model_sha256", "architecture",
                                        "backend", "isa",    "decoder", "resize"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_true(json_string_length(json_object_get(made_by, texts[i])) > 0);
    assert_int_equal(json_string_length(json_object_get(made_by, "model_sha256")), 64);
    assert_true(json_integer_value(json_object_get(made_by, "threads")) > 0);
    assert_int_equal(json_integer_value(json_object_get(made_by, "batch")), 1);
    assert_true(json_array_size(json_object_get(json_object_get(made_by, "kernels"), "conv2d")) > 0);
}

static void json_and_table(void **state)
{
    struct outcome outcome = osprey("detect", "--json", PHOTO);
    assert_int_equal(outcome.status, 0);
    assert_string_equal(outcome.err, "");
    json_t *result = parse(outcome.out);
    expect_face(result, PHOTO);
    expect_provenance(json_object_get(result, "provenance"));
    assert_ptr_equal(strchr(outcome.out, '\n'), outcome.out + outcome.out_size - 1); /* one line */
    assert_non_null(strstr(outcome.out, "\"score\": 0.99"));                         /* and numbers no longer than they need be */
    assert_null(strstr(outcome.out, "000000"));
    json_decref(result);
    process_free(&outcome);
    process_expect(osprey("detect", PHOTO), 0, "  face  0.998", "");
    process_expect(osprey("detect", "--score", "1", PHOTO), 0, "  no detections\n", "");
    process_expect(osprey("detect", "--only", "airplane,motorcycle", PHOTO), 0, "  no detections\n", "");
    process_expect(osprey("detect", "--times", PHOTO), 0, "face", "roi_align");
    process_expect(osprey("detect", "--times", "--json", PHOTO), 0, "face", "hash model");
    outcome = osprey("detect", "--times", PHOTO); /* a table names no model, so that none is hashed */
    assert_null(strstr(outcome.err, "hash model"));
    process_free(&outcome);
}

/* The text of "detections" in every line. */
static char *detections_of(struct outcome outcome)
{
    assert_int_equal(outcome.status, 0);
    char *text = calloc(1, outcome.out_size + 1), *to = text;
    assert_non_null(text);
    for (char *line = strtok(outcome.out, "\n"); line; line = strtok(NULL, "\n")) {
        char *from = strstr(line, "\"detections\""), *end = strstr(line, "\"provenance\"");
        assert_true(from && end && from < end);
        to = mempcpy(to, from, (size_t)(end - from));
    }
    process_free(&outcome);
    return text;
}

static void same_bits(void **state)
{
    char *one = detections_of(osprey("detect", "--json", "--score", "0", "--threads", "1", PHOTO, OTHER));
    char *two = detections_of(osprey("detect", "--json", "--score", "0", "--threads", "2", PHOTO, OTHER));
    char *batch = detections_of(osprey("detect", "--json", "--score", "0", "--batch", "2", PHOTO, OTHER));
    assert_true(strlen(one) > 100);
    assert_string_equal(one, two);
    assert_string_equal(one, batch); /* of one size: no padding comes in */
    free(one);
    free(two);
    free(batch);
}

/* The photo twice, side by side. */
static void put_twins(const char *path)
{
    struct osp_image *one = NULL;
    assert_int_equal(osp_image_load(PHOTO, NULL, &one), OSP_OK);
    size_t row = (size_t)one->width * 3;
    struct osp_image twins = {one->width * 2, one->height, malloc(row * 2 * (size_t)one->height)};
    assert_non_null(twins.rgb);
    for (size_t i = 0; i < 2 * (size_t)one->height; i++)
        memcpy(twins.rgb + i * row, one->rgb + i / 2 * row, row);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(osp_image_save(file, path, OSP_FORMAT_PNG, &twins), OSP_OK);
    assert_int_equal(fclose(file), 0);
    free(twins.rgb);
    osp_image_free(one);
}

static void top(void **state)
{
    put_twins(at("twins.png"));
    struct outcome all = osprey("detect", "--json", at("twins.png")), best = osprey("detect", "--json", "--top", at("twins.png"));
    json_t *two = parse(all.out), *one = parse(best.out);
    assert_int_equal(json_array_size(json_object_get(two, "detections")), 2);
    assert_int_equal(json_array_size(json_object_get(one, "detections")), 1);
    assert_true(
        json_equal(json_array_get(json_object_get(two, "detections"), 0), json_array_get(json_object_get(one, "detections"), 0)));
    json_decref(one);
    json_decref(two);
    process_free(&all);
    process_free(&best);
}

/* ---- Inputs ------------------------------------------------------------------------------------- */

static void folders(void **state)
{
    assert_int_equal(mkdir(at("in"), 0700), 0);
    assert_int_equal(mkdir(at("in/deeper"), 0700), 0);
    copy_file(PHOTO, at("in/b.jpg"));
    copy_file(OTHER, at("in/a.png"));
    copy_file(PHOTO, at("in/.hidden.png"));
    copy_file(PHOTO, at("in/._b.jpg"));
    copy_file(OTHER, at("in/deeper/c.png"));
    put_file(at("in/notes.txt"), "words", 5);
    assert_int_equal(symlink("..", at("in/deeper/loop")), 0);
    struct outcome outcome = osprey("detect", at("in"));
    assert_int_equal(outcome.status, 0);
    const char *a = strstr(outcome.out, "in/a.png"), *b = strstr(outcome.out, "in/b.jpg");
    assert_true(a && b && a < b);
    assert_null(strstr(outcome.out, "hidden"));
    assert_null(strstr(outcome.out, "._b"));
    assert_null(strstr(outcome.out, "deeper"));
    assert_non_null(strstr(outcome.err, "2 pictures, 2 detections, 0 failed; 1 other file passed over"));
    process_free(&outcome);
    process_expect(osprey("detect", "-r", at("in")), 0, "in/deeper/c.png", "3 pictures");
    copy_file(HOSTILE "i02_truncated_in_data.jpg", at("in/aa.jpg"));
    assert_int_equal(symlink("nowhere", at("in/ab.jpg")), 0);
    process_expect(osprey("detect", at("in")), 1, "in/b.jpg", "truncated");
    process_expect(osprey("detect", at("in")), 1, "in/b.jpg", "No such file");
    process_expect(osprey("detect", at("in/notes.txt"), PHOTO), 1, "face", "looks like text");
    assert_int_equal(mkdir(at("none"), 0700), 0);
    process_expect(osprey("detect", at("none"), PHOTO), 1, "face", "holds no JPEG or PNG picture");
}

static void lists(void **state)
{
    const char list[] = "# two\r\n" PHOTO "\r\n\n" OTHER;
    char argument[520];
    put_file(at("list.txt"), list, sizeof list - 1);
    snprintf(argument, sizeof argument, "@%s", at("list.txt"));
    process_expect(osprey("detect", argument), 0, OTHER, "2 pictures, 2 detections");
    put_file(at("list.txt"), "x\0y", 3);
    process_expect(osprey("detect", argument, "@/nonexistent", PHOTO), 1, "face", "with a NUL among them");
    process_expect(osprey("detect", "@/nonexistent"), 1, "", "/nonexistent: No such file");
}

static void standard_input(void **state)
{
    size_t size;
    char *photo = get_file(PHOTO, &size);
    const char *const argv[] = {"detect", "--out", at("out"), "-", NULL};
    process_expect(process_run(argv, photo, size, NULL), 0, "-  512x512\n  face", "");
    free(photo);
    assert_int_equal(access(at("out/stdin.png"), R_OK), 0);
    process_expect(process_run(argv, "", 0, NULL), 1, "", "standard input: looks like an empty file");
}

/* Names that could break a terminal or a file format. */
static void odd_names(void **state)
{
    copy_file(PHOTO, at("a\n\"b\",\\\xff\x1b[31m<c>&.png"));
    process_expect(osprey("detect", at("a\n\"b\",\\\xff\x1b[31m<c>&.png")), 0, "a\\x0a\"b\",\\\\xff\\x1b[31m<c>&.png  512x512",
                   "");
    struct outcome outcome = osprey("detect", "--json", at("a\n\"b\",\\\xff\x1b[31m<c>&.png"));
    json_t *result = parse(outcome.out);
    assert_non_null(strstr(json_string_value(json_object_get(result, "file")), "a\n\"b\",\\\\xff\x1b[31m<c>&.png"));
    json_decref(result);
    process_free(&outcome);
    process_expect(osprey("detect", "--csv", at("x.csv"), "--voc", at("voc"), at("a\n\"b\",\\\xff\x1b[31m<c>&.png")), 0, "",
                   "wrote");
    char *csv = get_file(at("x.csv"), NULL), *xml = get_file(at("voc/a\n\"b\",\\\xff\x1b[31m<c>&.xml"), NULL);
    assert_non_null(strstr(csv, "/a\\x0a\"\"b\"\",\\\\xff\\x1b[31m<c>&.png\",512,512,face,1,0.99"));
    assert_non_null(strstr(xml, "<filename>a\\x0a\"b\",\\\\xff\\x1b[31m&lt;c&gt;&amp;.png</filename>"));
    free(csv);
    free(xml);
}

/* ---- Outputs ------------------------------------------------------------------------------------ */

static void coco(void **state)
{
    process_expect(osprey("detect", "--coco", at("x.json"), PHOTO, OTHER), 0, "", "wrote");
    char *text = get_file(at("x.json"), NULL);
    json_t *root = parse(text), *first = json_array_get(json_object_get(root, "annotations"), 0);
    expect_provenance(json_object_get(json_object_get(root, "info"), "provenance"));
    assert_int_equal(json_array_size(json_object_get(root, "images")), 2);
    assert_int_equal(json_array_size(json_object_get(root, "annotations")), 2);
    assert_int_equal(json_array_size(json_object_get(root, "categories")), 3);
    assert_int_equal(json_integer_value(json_object_get(first, "image_id")), 1);
    assert_int_equal(json_integer_value(json_object_get(first, "category_id")), 1);
    assert_true(fabs(json_real_value(json_array_get(json_object_get(first, "bbox"), 2)) - (298.562 - 159.53)) < 1e-2);
    json_decref(root);
    free(text);
    const char ids[] = "{\"images\": [{\"id\": 70, \"file_name\": \"astronaut.png\"}],"
                       " \"categories\": [{\"id\": 9, \"name\": \"face\"}]}";
    put_file(at("ids.json"), ids, sizeof ids - 1);
    process_expect(osprey("detect", "--coco", at("x.json"), "--coco-ids", at("ids.json"), PHOTO, OTHER), 1, "",
                   "no image of this file_name");
    text = get_file(at("x.json"), NULL);
    assert_non_null(strstr(text, "\"image_id\": 70, \"category_id\": 9,"));
    assert_non_null(strstr(text, "{\"id\": 10, \"name\": \"motorcycle\"}"));
    assert_null(strstr(text, "camera.png"));
    free(text);
    process_expect(osprey("detect", "--coco", at("x.json"), "--score", "1", PHOTO), 0, "", "");
    text = get_file(at("x.json"), NULL);
    root = parse(text);
    assert_int_equal(json_array_size(json_object_get(root, "images")), 1);
    assert_true(json_is_array(json_object_get(root, "annotations")) && !json_array_size(json_object_get(root, "annotations")));
    json_decref(root);
    free(text);
}

static void pictures(void **state)
{
    assert_int_equal(mkdir(at("one"), 0700), 0);
    assert_int_equal(mkdir(at("two"), 0700), 0);
    copy_file(PHOTO, at("one/p.png"));
    copy_file(OTHER, at("two/p.png"));
    process_expect(osprey("detect", "--out", at("drawn"), at("one"), at("two")), 0, "", "p-2.png");
    assert_int_equal(entries(at("drawn")), 2);
    process_expect(osprey("detect", "--out", at("one"), at("one/p.png")), 0, "", "p-2.png"); /* the input stays */
    assert_int_equal(entries(at("one")), 2);
    size_t before, after;
    char *a = get_file(PHOTO, &before), *b = get_file(at("one/p.png"), &after);
    assert_int_equal(before, after);
    assert_memory_equal(a, b, before);
    free(a);
    free(b);
    copy_file(HOSTILE "plain_420.jpg", at("two/q.png")); /* named in the format it has, not in the one it says */
    process_expect(osprey("detect", "--out", at("drawn"), at("two/q.png")), 0, "", "");
    assert_int_equal(access(at("drawn/q.jpg"), R_OK), 0);
}

static void unwritten(void **state)
{
    const char *const argv[] = {"detect", "--json", PHOTO, NULL};
    process_expect(process_run(argv, NULL, 0, "/dev/full"), 5, "", "No space left on device");
    process_expect(process_run((const char *const[]){"--version", NULL}, NULL, 0, "/dev/full"), 5, "", "standard output");
    scratch_empty(NULL);
    put_file(at("file"), "kept", 4);
    process_expect(osprey("detect", "--coco", at("file/x.json"), PHOTO), 5, "", "file/x.json");
    process_expect(osprey("detect", "--coco", at("x.json"), "--csv", at("file/x.csv"), PHOTO), 5, "", "file/x.csv");
    process_expect(osprey("detect", "--voc", at("file"), PHOTO), 5, "", "allowed is a folder");
    process_expect(osprey("detect", "--out", at("no/such"), PHOTO), 5, "", "cannot be made");
    assert_int_equal(entries(at(".")), 1); /* nothing is left, not even of the output that could be opened */
    copy_file(PHOTO, at("p.png"));
    process_expect(osprey("detect", "--csv", at("p.png"), at("p.png")), 2, "", "would be overwritten");
    process_expect(osprey("detect", "--model", at("p.png"), "--csv", at("q"), at("p.png")), 3, "", "p.png");
    assert_int_equal(entries(at(".")), 2);
}

/* ---- Signals ------------------------------------------------------------------------------------ */

static void sleep_a_little(void) { nanosleep(&(struct timespec){0, 20000000}, NULL); }

static void stopped(void **state)
{
    enum { PICTURES = 2000 };
    char argument[520];
    FILE *list = fopen(at("many.txt"), "w");
    for (int i = 0; i < PICTURES; i++)
        fprintf(list, "%s\n", OTHER);
    fclose(list);
    snprintf(argument, sizeof argument, "@%s", at("many.txt"));
    struct process process = process_start((const char *const[]){"detect", "--json", "--csv", at("x.csv"), argument, NULL}, NULL);
    while (lseek(process.out, 0, SEEK_END) == 0)
        sleep_a_little();
    kill(process.pid, SIGTERM);
    struct outcome outcome = process_wait(&process);
    assert_int_equal(outcome.status, 143);
    int lines = 0;
    for (char *line = strtok(outcome.out, "\n"); line; line = strtok(NULL, "\n"), lines++)
        json_decref(parse(line));
    assert_true(lines >= 1 && lines < PICTURES);
    char *csv = get_file(at("x.csv"), NULL); /* what was complete is written */
    int rows = 0;
    for (const char *p = csv; (p = strstr(p, ",face,")); p++)
        rows++;
    assert_int_equal(rows, lines);
    free(csv);
    process_free(&outcome);
    process = process_start((const char *const[]){"detect", "-", NULL}, NULL); /* waits for a picture that does not come */
    for (int i = 0; i < 25; i++)
        sleep_a_little();
    kill(process.pid, SIGINT);
    outcome = process_wait(&process);
    assert_int_equal(outcome.status, 130);
    process_free(&outcome);
}

/* ---- info --------------------------------------------------------------------------------------- */

static void info(void **state)
{
    process_expect(osprey("info"), 0, "fasterrcnn_efficientnet_lite0_fpn", "");
    process_expect(osprey("info", "--flops", "320x320", "--layers"), 0, "1.171368 GMAC", "");
    process_expect(osprey("info", "--plan", "320x320"), 0, "chosen", "");
    process_expect(osprey("info", "--memory", "320x320"), 0, "lower bound", "");
    struct outcome outcome = osprey("info", "--json", "--flops", "320x448", "--layers", "--plan", "64x64", "--memory", "320x448");
    assert_int_equal(outcome.status, 0);
    json_t *root = parse(outcome.out), *work = json_object_get(root, "work"), *layer, *stage;
    double layers = 0, stages = 0, total = json_real_value(json_object_get(work, "gmac"));
    const char *name;
    size_t i;
    json_array_foreach(json_object_get(work, "layers"), i, layer) layers += json_real_value(json_object_get(layer, "gmac"));
    json_object_foreach(json_object_get(work, "gmac_by_stage"), name, stage) stages += json_real_value(stage);
    assert_true(total > 1 && fabs(layers - total) < 1e-6 && fabs(stages - total) < 1e-6);
    assert_int_equal(json_array_size(json_object_get(root, "classes")), 4);
    json_t *memory = json_object_get(root, "memory");
    json_int_t arena = json_integer_value(json_object_get(memory, "arena"));
    json_int_t bound = json_integer_value(json_object_get(memory, "lower_bound"));
    assert_true(bound > 0 && arena >= bound && arena <= json_integer_value(json_object_get(memory, "unshared")));
    json_t *node = json_array_get(json_object_get(json_object_get(root, "kernels"), "nodes"), 1);
    assert_true(json_array_size(json_object_get(node, "ladder")) >= 1);
    json_decref(root);
    process_free(&outcome);
}

int main(int argc, char **argv)
{
    process_find(argv[0]);
#define TEST(name) cmocka_unit_test_teardown(name, scratch_empty)
    const struct CMUnitTest tests[] = {TEST(help), TEST(usage),    TEST(refused_models), TEST(json_and_table), TEST(same_bits),
                                       TEST(top),  TEST(folders),  TEST(lists),          TEST(standard_input), TEST(odd_names),
                                       TEST(coco), TEST(pictures), TEST(unwritten),      TEST(stopped),        TEST(info)};
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
