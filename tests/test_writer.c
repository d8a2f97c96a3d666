/* Files written whole or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/file.h"
#include "tests/folder.h"

static osp_status write_text(const char *path, const char *text)
{
    struct osp_writer writer;
    osp_status status = osp_writer_open(path, &writer);
    if (status != OSP_OK)
        return status;
    fputs(text, writer.stream);
    status = osp_writer_commit(&writer);
    osp_writer_abandon(&writer); /* does nothing now */
    return status;
}

static void written_whole(void **state)
{
    char *folder = folder_enter();
    struct stat st;
    mode_t mask = umask(027);
    assert_int_equal(write_text("new", "one"), OSP_OK);
    umask(mask);
    folder_assert_holds("new", "one");
    assert_int_equal(stat("new", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);

    assert_int_equal(chmod("new", 0604), 0);
    struct osp_writer writer;
    assert_int_equal(osp_writer_open("new", &writer), OSP_OK);
    fputs("two", writer.stream);
    fflush(writer.stream);
    folder_assert_holds("new", "one"); /* until it is committed */
    assert_int_equal(folder_count(), 2);
    osp_writer_abandon(&writer);
    folder_assert_holds("new", "one");
    assert_int_equal(folder_count(), 1);
    assert_int_equal(write_text("new", "two"), OSP_OK);
    folder_assert_holds("new", "two");
    assert_int_equal(stat("new", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0604);

    char name[251];
    memset(name, 'n', 250);
    name[250] = 0;
    assert_int_equal(write_text(name, "long"), OSP_OK);
    folder_assert_holds(name, "long");

    struct osp_writer first, second; /* two at once: the later commit stands */
    assert_int_equal(osp_writer_open("new", &first), OSP_OK);
    assert_int_equal(osp_writer_open("new", &second), OSP_OK);
    fputs("first", first.stream);
    fputs("second", second.stream);
    assert_int_equal(osp_writer_commit(&second), OSP_OK);
    assert_int_equal(osp_writer_commit(&first), OSP_OK);
    folder_assert_holds("new", "first");
    unlink("new");
    unlink(name);
    folder_leave(folder);
}

static void written_through_links(void **state)
{
    char *folder = folder_enter();
    struct stat st;
    assert_int_equal(mkdir("sub", 0700), 0);
    folder_put("sub/target", "old");
    assert_int_equal(symlink("sub/target", "link"), 0);
    assert_int_equal(write_text("link", "new"), OSP_OK);
    folder_assert_holds("sub/target", "new");
    assert_int_equal(lstat("link", &st), 0);
    assert_true(S_ISLNK(st.st_mode));

    assert_int_equal(symlink("nowhere", "dangling"), 0);
    assert_int_equal(write_text("dangling", "new"), OSP_UNWRITTEN);
    folder_assert_says("dangling: the link cannot be followed: ");
    assert_int_equal(symlink("/dev/null", "null"), 0);
    assert_int_equal(write_text("null", "new"), OSP_OK);
    assert_int_equal(lstat("null", &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode));

    unlink("sub/target");
    rmdir("sub");
    unlink("link");
    unlink("dangling");
    unlink("null");
    folder_leave(folder);
}

static void not_written(void **state)
{
    char *folder = folder_enter();
    assert_int_equal(write_text("absent/new", "x"), OSP_UNWRITTEN);
    folder_assert_says("absent/new: no file can be created beside it: ");
    assert_int_equal(write_text(".", "x"), OSP_UNWRITTEN);
    folder_assert_says(".: found a folder, allowed: a regular file or a new name");
    assert_int_equal(write_text("", "x"), OSP_UNWRITTEN);
    folder_put("file", "old");
    assert_int_equal(write_text("file/new", "x"), OSP_UNWRITTEN);

    /* A full disk, met while flushing and while writing. */
    assert_int_equal(write_text("/dev/full", "x"), OSP_UNWRITTEN);
    assert_string_equal(osp_message(), "/dev/full: No space left on device");
    struct osp_writer writer;
    assert_int_equal(osp_writer_open("/dev/full", &writer), OSP_OK);
    for (int i = 0; i < 100000; i++)
        fputc('x', writer.stream);
    assert_int_equal(osp_writer_commit(&writer), OSP_UNWRITTEN);
    folder_assert_says("/dev/full: ");

    /* A file that may not grow: the old one is intact, and no temporary file is left. */
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){1000, before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(osp_writer_open("file", &writer), OSP_OK);
    for (int i = 0; i < 2000; i++)
        fputc('x', writer.stream);
    osp_status status = osp_writer_commit(&writer);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(status, OSP_UNWRITTEN);
    assert_string_equal(osp_message(), "file: File too large");
    folder_assert_holds("file", "old");
    assert_int_equal(folder_count(), 1);

    /* The name was taken by a folder meanwhile. */
    assert_int_equal(osp_writer_open("late", &writer), OSP_OK);
    assert_int_equal(mkdir("late", 0700), 0);
    assert_int_equal(osp_writer_commit(&writer), OSP_UNWRITTEN);
    folder_assert_says("late: ");
    assert_int_equal(folder_count(), 2);
    rmdir("late");
    unlink("file");
    folder_leave(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_whole),
        cmocka_unit_test(written_through_links),
        cmocka_unit_test(not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
