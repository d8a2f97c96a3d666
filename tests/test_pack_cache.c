/* Files of packed weights: what is written and read, what is passed over, and that results do not depend on them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process.h"
#include "runtime/packfile.h"
#include "scratch.h"

#define PHOTO OSP_SOURCE "/models/demo/astronaut.png"
#define MODEL OSP_SOURCE "/models/demo/demo.safetensors"

#define osprey(...) process_run((const char *const[]){__VA_ARGS__, NULL}, NULL, 0, NULL)

/* Where packfile.c puts things. */
enum { AT_CHECKSUM = 32, AT_SIZE = 40, AT_MODEL = 48, AT_COUNT = 56, AT_ROWS = 256, ROW = 192, AT_NAME = 16 };

static const struct osp_packfile_key key = {0x0123456789abcdef, "cpu", "avx2"};

static void must(osp_status status)
{
    if (status)
        print_error("%s\n", osp_message());
    assert_int_equal(status, OSP_OK);
}

static void assert_holds(const char *text, const char *words)
{
    if (!strstr(text, words))
        fail_msg("\"%s\" does not say \"%s\"", text, words);
}

/* ---- The checksum --------------------------------------------------------------------------------- */

static void every_bit_counts(void **state)
{
    enum { MOST = 200 };
    uint8_t bytes[MOST];
    uint64_t sums[MOST + 1];
    for (int i = 0; i < MOST; i++)
        bytes[i] = (uint8_t)(i * 37);
    for (int size = 0; size <= MOST; size++) {
        sums[size] = osp_checksum(0, bytes, (size_t)size);
        assert_int_not_equal(sums[size], osp_checksum(1, bytes, (size_t)size));
        for (int shorter = 0; shorter < size; shorter++)
            assert_int_not_equal(sums[size], sums[shorter]);
        for (int bit = 0; bit < 8 * size; bit++) {
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_int_not_equal(osp_checksum(0, bytes, (size_t)size), sums[size]);
            int other = (bit + 512) % (8 * size); /* the same bit of the same lane, if there is one */
            bytes[other / 8] ^= (uint8_t)(1 << other % 8);
            if (other != bit)
                assert_int_not_equal(osp_checksum(0, bytes, (size_t)size), sums[size]);
            bytes[other / 8] ^= (uint8_t)(1 << other % 8);
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
    memset(bytes, 0, sizeof bytes);
    for (int size = 1; size <= MOST; size++) /* zeros count too */
        assert_int_not_equal(osp_checksum(0, bytes, (size_t)size), osp_checksum(0, bytes, (size_t)size - 1));
}

/* ---- The file ------------------------------------------------------------------------------------- */

static const uint8_t small[5] = {1, 2, 3, 4, 5}, large[130] = {9, 8, 7};
static const struct osp_packfile_block blocks[] = {{"a cpu/conv2d/tile", small, sizeof small},
                                                   {"b cpu/linear/tile", large, sizeof large}};

static size_t write_blocks(const char *path, const struct osp_packfile_key *of)
{
    size_t bytes = 0;
    must(osp_packfile_write(path, of, blocks, 2, &bytes));
    return bytes;
}

static void assert_whole(const struct osp_packfile *file)
{
    struct osp_packfile_block block;
    assert_string_equal(osp_packfile_remark(file), "");
    for (int i = 0; i < 2; i++) {
        assert_true(osp_packfile_block(file, i, &block));
        assert_string_equal(block.name, blocks[i].name);
        assert_int_equal(block.bytes, blocks[i].bytes);
        assert_int_equal((uintptr_t)block.data % 64, 0);
        assert_memory_equal(block.data, blocks[i].data, block.bytes);
        assert_ptr_equal(osp_packfile_find(file, block.name, block.bytes), block.data);
        assert_null(osp_packfile_find(file, block.name, block.bytes + 1));
    }
    assert_false(osp_packfile_block(file, 2, &block));
    assert_null(osp_packfile_find(file, "c", 5));
    must(osp_packfile_unchanged(file));
}

static void written_and_read(void **state)
{
    struct osp_packfile *file;
    struct stat st;
    const char *path = at("p");
    must(osp_packfile_open(path, &key, &file)); /* not there: nothing to say */
    assert_string_equal(osp_packfile_remark(file), "");
    assert_null(osp_packfile_find(file, blocks[0].name, blocks[0].bytes));
    must(osp_packfile_unchanged(file));
    osp_packfile_close(file);
    size_t bytes = write_blocks(path, &key);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, bytes);
    must(osp_packfile_open(path, &key, &file));
    assert_whole(file);
    write_blocks(path, &key); /* another file under this name: the first stays mapped as it is */
    assert_whole(file);
    osp_packfile_close(file);
    osp_packfile_close(NULL);
    assert_int_equal(osp_packfile_write(at("no/p"), &key, blocks, 2, &bytes), OSP_UNWRITTEN);
}

/* It is opened, has nothing, and says why. */
static void passed_over(const char *path, const struct osp_packfile_key *by, const char *words)
{
    struct osp_packfile *file;
    struct osp_packfile_block block;
    must(osp_packfile_open(path, by, &file));
    assert_holds(osp_packfile_remark(file), words);
    assert_false(osp_packfile_block(file, 0, &block));
    osp_packfile_close(file);
}

static void of_something_else(void **state)
{
    const struct osp_packfile_key model = {key.model + 1, "cpu", "avx2"}, packing = {key.model, "cpu", "avx512"},
                                  backend = {key.model, "onednn", "avx2"};
    char *path = at("p");
    write_blocks(path, &key);
    passed_over(path, &model, "offset 48: model: found weights of another model");
    passed_over(path, &packing, "cpu, avx2\", allowed \"osprey " OSP_VERSION);
    passed_over(path, &backend, "onednn, avx2\"");
    mkdir(at("folder"), 0777);
    passed_over(at("folder"), &key, "found a folder");
}

/* Every byte in turn is another one, and every length shorter. Only the fill between blocks may be anything. */
static void damaged(void **state)
{
    size_t size;
    char *path = at("p"), *cut = at("q");
    write_blocks(path, &key);
    char *bytes = get_file(path, &size);
    for (size_t i = 0; i < size; i++) {
        struct osp_packfile *file;
        bytes[i] ^= (char)(1 << i % 8);
        put_file(cut, bytes, size);
        bytes[i] ^= (char)(1 << i % 8);
        osp_status status = osp_packfile_open(cut, &key, &file);
        if (i < strlen("osprey packed weights ")) { /* then it is no file of ours */
            assert_int_equal(status, OSP_UNWRITTEN);
            continue;
        }
        must(status);
        if (!*osp_packfile_remark(file))
            assert_whole(file);
        osp_packfile_close(file);
    }
    for (size_t length = 0; length < size; length++) {
        put_file(cut, bytes, length);
        if (length > 0 && length < 32)
            assert_int_equal(osp_packfile_open(cut, &key, &(struct osp_packfile *){NULL}), OSP_UNWRITTEN);
        else
            passed_over(cut, &key, "q: offset ");
    }
    free(bytes);
}

static void put_u64(char *bytes, size_t at, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        bytes[at + (size_t)i] = (char)(value >> (8 * i));
}

/* Files whose checksum is right, and which lie. */
static void hostile(void **state)
{
    static const struct {
        size_t at;
        uint64_t value;
        const char *words;
    } lies[] = {{AT_COUNT, UINT64_MAX, "count: found 18446744073709551615, allowed"},
                {AT_COUNT, 1000, "count: found 1000, allowed"},
                {AT_SIZE, 1, "size: found 1, allowed"},
                {AT_ROWS, UINT64_MAX - 63, "offset: found 5 bytes at 18446744073709551552"},
                {AT_ROWS, 641, "on a multiple of 64"},
                {AT_ROWS + 8, UINT64_MAX, "offset: found 18446744073709551615 bytes"},
                {AT_ROWS + 8, 1 << 20, "offset: found 1048576 bytes"}};
    size_t size;
    char *path = at("p"), *false_one = at("q");
    write_blocks(path, &key);
    for (size_t i = 0; i <= sizeof lies / sizeof *lies; i++) {
        char *bytes = get_file(path, &size);
        if (i < sizeof lies / sizeof *lies)
            put_u64(bytes, lies[i].at, lies[i].value);
        else
            memset(bytes + AT_ROWS + AT_NAME, 'n', ROW - AT_NAME);
        put_u64(bytes, AT_CHECKSUM, osp_checksum(0, bytes + AT_SIZE, size - AT_SIZE));
        put_file(false_one, bytes, size);
        passed_over(false_one, &key, i < sizeof lies / sizeof *lies ? lies[i].words : "name: found one without an end");
        free(bytes);
    }
}

/* What is no file of packed weights is not replaced by one. */
static void others_files(void **state)
{
    struct osp_packfile *file;
    put_file(at("text"), "notes\n", 6);
    assert_int_equal(osp_packfile_open(at("text"), &key, &file), OSP_UNWRITTEN);
    assert_holds(osp_message(), "text: found another file, which is left as it is");
    assert_int_equal(osp_packfile_check(at("text")), OSP_UNWRITTEN);
    write_blocks(at("p"), &key);
    must(osp_packfile_check(at("p")));
    must(osp_packfile_check(at("absent")));
    put_file(at("empty"), "", 0);
    passed_over(at("empty"), &key, "magic");
}

/* ---- Sessions ------------------------------------------------------------------------------------- */

static struct osp_model *model;
static struct osp_image *photo;

static struct osp_session *open_session(const char *path, const char *isa, const char *use)
{
    struct osp_session *session = NULL;
    must(osp_session_open(model, &(struct osp_session_options){.pack_cache = path, .isa = isa, .use = use}, &session));
    return session;
}

/* Runs on the photo; the file then says `remark`, and gets `written` (1: something). Returns what was found. */
static struct osp_detections run(const char *path, const char *isa, const char *use, const char *remark, int written)
{
    struct osp_session *session = open_session(path, isa, use);
    struct osp_detections found;
    const char *said;
    size_t bytes;
    must(osp_detect(session, photo, &found));
    assert_string_equal(osp_session_pack_cache(session, &said), path);
    assert_holds(said, remark);
    assert_int_equal(*said == 0, *remark == 0);
    must(osp_session_write_pack_cache(session, &bytes));
    assert_int_equal(bytes > 0, written);
    must(osp_session_write_pack_cache(session, &bytes));
    assert_int_equal(bytes, 0);
    osp_session_close(session);
    return found;
}

static void same_and_free(const struct osp_detections *expected, struct osp_detections found)
{
    assert_int_equal(found.count, expected->count);
    for (int i = 0; i < found.count; i++) {
        assert_int_equal(found.items[i].label, expected->items[i].label);
        assert_memory_equal(&found.items[i].score, &expected->items[i].score, sizeof(float));
        assert_memory_equal(found.items[i].box, expected->items[i].box, sizeof found.items[i].box);
    }
    osp_detections_free(&found);
}

/* Without a file. */
static struct osp_detections plain(const char *isa, const char *use)
{
    struct osp_session *session = open_session(NULL, isa, use);
    struct osp_detections found;
    const char *remark;
    size_t bytes;
    must(osp_detect(session, photo, &found));
    assert_null(osp_session_pack_cache(session, &remark));
    assert_string_equal(remark, "");
    must(osp_session_write_pack_cache(session, &bytes));
    assert_int_equal(bytes, 0);
    osp_session_close(session);
    assert_true(found.count > 0);
    return found;
}

static void same_bits(void **state)
{
    static const char *const isas[] = {NULL, "portable"};
    for (int i = 0; i < 2; i++) {
        char *path = at(i ? "portable" : "best");
        struct osp_detections expected = plain(isas[i], NULL);
        same_and_free(&expected, run(path, isas[i], NULL, "", 1));
        same_and_free(&expected, run(path, isas[i], NULL, "", 0)); /* all of it mapped */
        osp_detections_free(&expected);
    }
}

/* Other kernels' blocks join those that are there. */
static void kernels_add_up(void **state)
{
    char *path = at("p");
    struct osp_detections tile = plain(NULL, "conv2d=tile"), chosen = plain(NULL, NULL);
    same_and_free(&tile, run(path, NULL, "conv2d=tile", "", 1));
    same_and_free(&chosen, run(path, NULL, "backbone.fpn.layer_blocks.0.0:conv2d=winograd", "", 1));
    same_and_free(&tile, run(path, NULL, "conv2d=tile", "", 0));
    osp_detections_free(&tile);
    osp_detections_free(&chosen);
}

static void damage_is_mended(void **state)
{
    size_t size;
    char *path = at("p");
    struct osp_detections expected = plain(NULL, NULL);
    same_and_free(&expected, run(path, NULL, NULL, "", 1));
    char *bytes = get_file(path, &size);
    bytes[size - 100] ^= 1;
    put_file(path, bytes, size);
    same_and_free(&expected, run(path, NULL, NULL, "the file is damaged", 1));
    put_file(path, bytes, size / 2);
    same_and_free(&expected, run(path, NULL, NULL, "size: found", 1));
    same_and_free(&expected, run(path, NULL, NULL, "", 0));
    free(bytes);
    osp_detections_free(&expected);
}

/* A file that somebody writes to while it is mapped ends in a refusal, not in other boxes. */
static void changed_while_mapped(void **state)
{
    char *path = at("p");
    struct osp_detections found, first = run(path, NULL, NULL, "", 1);
    struct osp_session *session = open_session(path, NULL, NULL);
    size_t bytes;
    must(osp_detect(session, photo, &found));
    same_and_free(&first, found);
    assert_int_equal(truncate(path, 4096), 0);
    assert_int_equal(osp_detect(session, photo, &found), OSP_REFUSED);
    assert_holds(osp_message(), "p: the file changed while it was in use");
    must(osp_session_write_pack_cache(session, &bytes)); /* it has packed nothing that the file lacks */
    osp_session_close(session);
    osp_detections_free(&first);
}

/* The same file name, other weights in it. */
static void another_model(void **state)
{
    size_t size;
    char *bytes = get_file(MODEL, &size), *path = at("p"), *copy = at("m.safetensors");
    struct osp_detections expected = plain(NULL, NULL);
    same_and_free(&expected, run(path, NULL, NULL, "", 1));
    bytes[size - 1] ^= 1;
    put_file(copy, bytes, size);
    struct osp_model *before = model;
    must(osp_model_open(copy, &model));
    struct osp_detections other = plain(NULL, NULL);
    same_and_free(&other, run(path, NULL, NULL, "another model", 1));
    osp_detections_free(&other);
    osp_model_close(model);
    model = before;
    osp_detections_free(&expected);
    free(bytes);
}

static void no_packed_weights(void **state)
{
    struct osp_session *session;
    assert_int_equal(osp_session_open(model, &(struct osp_session_options){.backend = "emu", .pack_cache = at("p")}, &session),
                     OSP_USAGE);
    assert_holds(osp_message(), "p: backend emu has no packed weights that a file could keep");
}

/* ---- The command ---------------------------------------------------------------------------------- */

static void from_run_to_run(void **state)
{
    char copy[512], beside[600], option[600];
    snprintf(copy, sizeof copy, "%s", at("m.safetensors"));
    snprintf(beside, sizeof beside, "%s.packed", copy);
    copy_file(MODEL, copy);
    process_expect(osprey("detect", "--pack-cache", "--model", copy, PHOTO), 0, "face", "m.safetensors.packed, ");
    assert_int_equal(access(beside, R_OK), 0);
    struct outcome outcome = osprey("detect", "--pack-cache", "--model", copy, PHOTO);
    assert_holds(outcome.out, "face");
    assert_string_equal(outcome.err, "");
    process_free(&outcome);
    assert_int_equal(truncate(beside, 10000), 0);
    process_expect(osprey("detect", "--pack-cache", "--model", copy, PHOTO), 0, "face", "weights were packed anew: ");
    process_expect(osprey("detect", "--pack-cache", "--times", "--model", copy, PHOTO), 0, "face", "pack weights");
    snprintf(option, sizeof option, "--pack-cache=%s", copy); /* the model itself */
    process_expect(osprey("detect", option, "--model", copy, PHOTO), 5, "", "which is left as it is");
    process_expect(osprey("info", copy), 0, "sha256", "");
    snprintf(option, sizeof option, "--pack-cache=%s", at("no/p"));
    process_expect(osprey("detect", option, PHOTO), 5, "face", "no/p");
    process_expect(osprey("detect", "--backend", "emu", "--pack-cache", PHOTO), 2, "", "no packed weights");
}

static void bench_columns(void **state)
{
    char column[600];
    snprintf(column, sizeof column, "cpu:pack-cache=%s", at("p"));
    for (int i = 0; i < 2; i++) {
        struct outcome outcome =
            osprey("bench", "--size", "64x64", "--least", "2", "--most", "2", "--backends", column, "--quiet", PHOTO);
        assert_int_equal(outcome.status, 0);
        assert_holds(outcome.out, "pack weights");
        assert_int_equal(strstr(outcome.err, "p, ") != NULL, i == 0); /* written by the first */
        process_free(&outcome);
    }
}

static int begin(void **state)
{
    must(osp_model_open(MODEL, &model));
    must(osp_image_load(PHOTO, NULL, &photo));
    return scratch_begin(state);
}

static int end(void **state)
{
    osp_image_free(photo);
    osp_model_close(model);
    return scratch_end(state);
}

int main(int argc, char **argv)
{
    process_find(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bit_counts),
        cmocka_unit_test_teardown(written_and_read, scratch_empty),
        cmocka_unit_test_teardown(of_something_else, scratch_empty),
        cmocka_unit_test_teardown(damaged, scratch_empty),
        cmocka_unit_test_teardown(hostile, scratch_empty),
        cmocka_unit_test_teardown(others_files, scratch_empty),
        cmocka_unit_test_teardown(same_bits, scratch_empty),
        cmocka_unit_test_teardown(kernels_add_up, scratch_empty),
        cmocka_unit_test_teardown(damage_is_mended, scratch_empty),
        cmocka_unit_test_teardown(changed_while_mapped, scratch_empty),
        cmocka_unit_test_teardown(another_model, scratch_empty),
        cmocka_unit_test_teardown(no_packed_weights, scratch_empty),
        cmocka_unit_test_teardown(from_run_to_run, scratch_empty),
        cmocka_unit_test_teardown(bench_columns, scratch_empty),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
