/* Pictures: every row of hostile/images.tsv, cut and damaged files, what is not a file, orientation, drawing and saving. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/file.h"
#include "scratch.h"
#include "tools/image/image.h"

#define IMAGES OSP_SOURCE "/tests/hostile/images/"

static const char *status_name(osp_status status)
{
    return status == OSP_OK ? "ok" : status == OSP_BAD_IMAGE ? "bad_image" : status == OSP_UNREADABLE ? "unreadable" : "another";
}

/* True if the file fares as its row says; else prints how not. */
static bool row_holds(const char *name, const char *status, const char *words)
{
    char path[512], hex[65], found[128];
    struct osp_image *image = NULL;
    snprintf(path, sizeof path, IMAGES "%s", name);
    osp_status got = osp_image_load(path, NULL, &image);
    if (strcmp(status_name(got), status) != 0) {
        print_error("%s: status %s, expected %s (%s)\n", name, status_name(got), status, got ? osp_message() : "");
        osp_image_free(image);
        return false;
    }
    if (got != OSP_OK) {
        bool right = strstr(osp_message(), words) && strstr(osp_message(), name) && !image;
        if (!right)
            print_error("%s: says \"%s\", expected \"%s\"\n", name, osp_message(), words);
        return right;
    }
    osp_sha256_hex(image->rgb, (size_t)image->width * (size_t)image->height * 3, hex);
    snprintf(found, sizeof found, "%dx%d %s", image->width, image->height, hex);
    osp_image_free(image);
    if (strcmp(found, words) != 0)
        print_error("%s: decodes to %s, expected %s\n", name, found, words);
    return strcmp(found, words) == 0;
}

static void table(void **state)
{
    char line[512];
    int rows = 0, wrong = 0;
    FILE *file = fopen(OSP_SOURCE "/tests/hostile/images.tsv", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        if (line[0] == '#')
            continue;
        char *rest = line, *name = strsep(&rest, "\t"), *status = strsep(&rest, "\t"), *words = strsep(&rest, "\n");
        assert_non_null(words);
        wrong += !row_holds(name, status, words);
        rows++;
    }
    fclose(file);
    assert_true(rows > 150);
    assert_int_equal(wrong, 0);
}

static uint8_t *read_whole(const char *name, size_t *size)
{
    char path[512];
    snprintf(path, sizeof path, IMAGES "%s", name);
    return (uint8_t *)get_file(path, size);
}

/* Every prefix of a good file is refused. The copy has its exact size, so that ASan sees a read past it. */
static void prefixes(void **state)
{
    static const char *const names[] = {"plain_420.jpg", "progressive_420.jpg", "i13_ycck.jpg", "i29_type3_4bit.png",
                                        "i29_type6_16bit_adam7.png"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t size;
        uint8_t *whole = read_whole(names[i], &size);
        for (size_t length = 0; length < size; length++) {
            uint8_t *cut = malloc(length + !length);
            assert_non_null(cut);
            memcpy(cut, whole, length);
            struct osp_image *image = NULL;
            osp_status status = osp_image_decode(names[i], cut, length, NULL, &image);
            if (status != OSP_BAD_IMAGE)
                print_error("%s: its first %zu bytes give status %d\n", names[i], length, status);
            assert_int_equal(status, OSP_BAD_IMAGE);
            free(cut);
        }
        free(whole);
    }
}

/* One byte changed: PNG notices each one (all of it is under checksums), JPEG may not, but neither crashes or hangs. */
static void flips(void **state)
{
    static const char *const names[] = {"i29_type3_4bit.png", "i29_adam7_5x5.png", "plain_420.jpg", "progressive_420.jpg",
                                        "i16_exif_6.jpg"};
    static const uint8_t changes[] = {0x01, 0x80, 0xff};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t size;
        uint8_t *data = read_whole(names[i], &size);
        for (size_t at = 0; at < size; at++)
            for (size_t c = 0; c < sizeof changes; c++) {
                struct osp_image *image = NULL;
                data[at] ^= changes[c];
                osp_status status = osp_image_decode(names[i], data, size, NULL, &image);
                osp_image_free(image);
                data[at] ^= changes[c];
                assert_true(status == OSP_BAD_IMAGE || (status == OSP_OK && strstr(names[i], ".jpg")));
            }
        free(data);
    }
}

static void expect_refusal(const char *path, osp_status status, const char *words)
{
    struct osp_image *image = NULL;
    assert_int_equal(osp_image_load(path, NULL, &image), status);
    assert_null(image);
    if (!strstr(osp_message(), words))
        fail_msg("says \"%s\", expected \"%s\"", osp_message(), words);
}

/* I35 to I37: what is there but is no file to read. None may hang. */
static void not_files(void **state)
{
    char name[300];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    expect_refusal(at("absent.jpg"), OSP_UNREADABLE, strerror(ENOENT));
    assert_int_equal(mkdir(at("folder.jpg"), 0700), 0);
    expect_refusal(at("folder.jpg"), OSP_UNREADABLE, "a folder");
    assert_int_equal(mkfifo(at("fifo.jpg"), 0600), 0);
    expect_refusal(at("fifo.jpg"), OSP_UNREADABLE, "a FIFO");
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%.100s", at("socket.jpg"));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    expect_refusal(at("socket.jpg"), OSP_UNREADABLE, "a socket");
    close(fd);
    assert_int_equal(symlink("nowhere", at("dangling.jpg")), 0);
    expect_refusal(at("dangling.jpg"), OSP_UNREADABLE, strerror(ENOENT));
    assert_int_equal(symlink("loop.jpg", at("loop.jpg")), 0);
    expect_refusal(at("loop.jpg"), OSP_UNREADABLE, strerror(ELOOP));
    assert_int_equal(symlink("/dev/zero", at("zero.jpg")), 0);
    expect_refusal(at("zero.jpg"), OSP_UNREADABLE, "a device");
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    expect_refusal(name, OSP_UNREADABLE, strerror(ENAMETOOLONG));
    FILE *file = fopen(at("secret.jpg"), "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(chmod(at("secret.jpg"), 0), 0);
    if (geteuid() == 0) /* root may read it all the same: then it is an empty file */
        expect_refusal(at("secret.jpg"), OSP_BAD_IMAGE, "an empty file");
    else
        expect_refusal(at("secret.jpg"), OSP_UNREADABLE, strerror(EACCES));
}

static void limits(void **state)
{
    struct osp_image *image = NULL;
    struct osp_image_options options = {.max_pixels = 13 * 11 - 1};
    assert_int_equal(osp_image_load(IMAGES "i29_type2_8bit.png", &options, &image), OSP_BAD_IMAGE);
    assert_non_null(strstr(osp_message(), "size is 13 x 11 = 143 pixels, allowed are at most 142"));
    assert_int_equal(osp_image_load(IMAGES "i14_grey.jpg", &options, &image), OSP_BAD_IMAGE);
    options.max_pixels++;
    assert_int_equal(osp_image_load(IMAGES "i29_type2_8bit.png", &options, &image), OSP_OK);
    osp_image_free(image);
}

static void ignored_exif(void **state)
{
    struct osp_image *turned = NULL, *stored = NULL;
    struct osp_image_options options = {.ignore_exif = 1};
    assert_int_equal(osp_image_load(IMAGES "i16_exif_6.jpg", NULL, &turned), OSP_OK);
    assert_int_equal(osp_image_load(IMAGES "i16_exif_6.jpg", &options, &stored), OSP_OK);
    assert_true(turned->width == 10 && turned->height == 21 && stored->width == 21 && stored->height == 10);
    for (int y = 0; y < 10; y++) /* 6: stored rows, first to last, become columns, right to left */
        for (int x = 0; x < 21; x++)
            assert_memory_equal(stored->rgb + (y * 21 + x) * 3, turned->rgb + (x * 10 + 9 - y) * 3, 3);
    osp_image_free(turned);
    osp_image_free(stored);
}

static struct osp_image *grey_picture(int width, int height)
{
    struct osp_image *image = malloc(sizeof *image);
    assert_non_null(image);
    *image = (struct osp_image){width, height, malloc((size_t)width * (size_t)height * 3)};
    assert_non_null(image->rgb);
    memset(image->rgb, 128, (size_t)width * (size_t)height * 3);
    return image;
}

static bool is_grey(const struct osp_image *image, int x, int y)
{
    const uint8_t *p = image->rgb + ((size_t)y * (size_t)image->width + (size_t)x) * 3;
    return p[0] == 128 && p[1] == 128 && p[2] == 128;
}

static void drawing(void **state)
{
    struct osp_image *image = grey_picture(400, 300);
    struct osp_mark mark = {{100, 80, 300, 250}, "face 0.99", 1};
    assert_int_equal(osp_image_draw(image, &mark, 1), OSP_OK);
    assert_false(is_grey(image, 101, 160)); /* the left edge */
    assert_false(is_grey(image, 299, 160));
    assert_false(is_grey(image, 200, 249));
    assert_false(is_grey(image, 103, 75)); /* the caption's ground, above the box */
    assert_true(is_grey(image, 200, 160)); /* inside, and outside, nothing */
    assert_true(is_grey(image, 90, 160));
    assert_true(is_grey(image, 200, 260));
    osp_image_free(image);
    struct osp_mark odd[] = {{{-50, -20, 900, 700}, "a caption that is much too long for so small a picture", 2},
                             {{5, 5, 5, 5}, "", 3},
                             {{8, 8, 2, 2}, "x", 90},
                             {{0, 0, 1, 1}, "\xc3\xa9t\xc3\xa9", 4}};
    for (int side = 1; side < 40; side += 6) {
        image = grey_picture(side, 40 - side);
        assert_int_equal(osp_image_draw(image, odd, 4), OSP_OK);
        osp_image_free(image);
    }
    image = grey_picture(32768, 1);
    assert_int_equal(osp_image_draw(image, &mark, 1), OSP_BAD_IMAGE);
    assert_non_null(strstr(osp_message(), "32768 x 1"));
    osp_image_free(image);
}

/* Saved and loaded again: PNG gives the same pixels, JPEG nearly. */
static void saving(void **state)
{
    struct osp_image *image = NULL, *again = NULL;
    assert_int_equal(osp_image_load(IMAGES "plain_444.jpg", NULL, &image), OSP_OK);
    for (enum osp_format format = OSP_FORMAT_JPEG; format <= OSP_FORMAT_PNG; format++) {
        char *bytes = NULL;
        size_t size = 0;
        FILE *stream = open_memstream(&bytes, &size);
        assert_non_null(stream);
        assert_int_equal(osp_image_save(stream, "memory", format, image), OSP_OK);
        assert_int_equal(fclose(stream), 0);
        assert_int_equal(osp_image_format((uint8_t *)bytes, size), format);
        assert_int_equal(osp_image_decode("memory", (uint8_t *)bytes, size, NULL, &again), OSP_OK);
        assert_true(again->width == image->width && again->height == image->height);
        double difference = 0;
        int count = image->width * image->height * 3;
        for (int i = 0; i < count; i++)
            difference += abs(image->rgb[i] - again->rgb[i]);
        assert_true(difference / count <= (format == OSP_FORMAT_PNG ? 0 : 8));
        osp_image_free(again);
        free(bytes);
    }
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    setvbuf(full, NULL, _IONBF, 0);
    assert_int_equal(osp_image_save(full, "/dev/full", OSP_FORMAT_PNG, image), OSP_UNWRITTEN);
    assert_int_equal(osp_image_save(full, "/dev/full", OSP_FORMAT_JPEG, image), OSP_UNWRITTEN);
    fclose(full);
    osp_image_free(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),   cmocka_unit_test(prefixes),
        cmocka_unit_test(flips),   cmocka_unit_test_teardown(not_files, scratch_empty),
        cmocka_unit_test(limits),  cmocka_unit_test(ignored_exif),
        cmocka_unit_test(drawing), cmocka_unit_test(saving),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
