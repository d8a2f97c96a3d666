/* Files written whole or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
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
    unlink("sub/target");
    rmdir("sub");
    unlink("link");
    unlink("dangling");
    folder_leave(folder);
}

/* What is no regular file is written as it stands, and stays what it is. A FIFO of the test's own, and no device: were this
 * broken, the test, run by root, would replace the device for the whole machine. */
static void written_directly(void **state)
{
    char *folder = folder_enter(), found[8] = "";
    struct stat st;
    assert_int_equal(mkfifo("fifo", 0600), 0);
    int reader = open("fifo", O_RDONLY | O_NONBLOCK);
    assert_true(reader >= 0);
    assert_int_equal(symlink("fifo", "link"), 0);
    assert_int_equal(write_text("fifo", "one"), OSP_OK);
    assert_int_equal(write_text("link", "two"), OSP_OK);
    assert_int_equal(read(reader, found, sizeof found - 1), 6);
    assert_string_equal(found, "onetwo");
    assert_int_equal(folder_count(), 2);

    struct osp_writer writer; /* nobody reads any more */
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(osp_writer_open("fifo", &writer), OSP_OK);
    close(reader);
    fputs("three", writer.stream);
    assert_int_equal(osp_writer_commit(&writer), OSP_UNWRITTEN);
    folder_assert_says("fifo: Broken pipe");
    signal(SIGPIPE, SIG_DFL);
    assert_int_equal(lstat("fifo", &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
    assert_int_equal(lstat("link", &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    unlink("fifo");
    unlink("link");
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

    /* A file that may not grow: the old one is intact, and no temporary file is left. */
    struct osp_writer writer;
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){1000, before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    for (int early = 0; early < 2; early++) {
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        assert_int_equal(osp_writer_open("file", &writer), OSP_OK);
        for (int i = 0; i < 2000; i++)
            fputc('x', writer.stream);
        if (early) { /* the write fails, and by the time of the commit there is room again */
            assert_int_equal(fflush(writer.stream), EOF);
            assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        }
        osp_status status = osp_writer_commit(&writer);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(status, OSP_UNWRITTEN);
        assert_string_equal(osp_message(), early ? "file: a write failed" : "file: File too large");
        folder_assert_holds("file", "old");
        assert_int_equal(folder_count(), 1);
    }
    signal(SIGXFSZ, SIG_DFL);

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
        cmocka_unit_test(written_directly),
        cmocka_unit_test(not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
