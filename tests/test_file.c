/* Files read: what is no file, files that change while mapped, the cursor, sentences, SHA-256. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/file.h"
#include "tests/folder.h"

/* ---- Sentences ---------------------------------------------------------------------------------- */

static void *message_of_new_thread(void *unused) { return (void *)(uintptr_t)strlen(osp_message()); }

static void sentences(void **state)
{
    assert_int_equal(osp_fail(OSP_USAGE, "%s: line\nbreak, \x1b[31mred\x7f", "a"), OSP_USAGE);
    assert_string_equal(osp_message(), "a: line?break, ?[31mred?");
    osp_fail(OSP_MEMORY, "b: %s", osp_message());
    assert_string_equal(osp_message(), "b: a: line?break, ?[31mred?");

    char *name = malloc(10001);
    memset(name, 'n', 10000);
    name[10000] = 0;
    osp_fail(OSP_USAGE, "%s", name);
    size_t length = strlen(osp_message());
    assert_true(length > 5000 && length < 10000);
    assert_string_equal(osp_message() + length - 4, "n...");
    free(name);

    pthread_t thread;
    void *length_there;
    assert_int_equal(pthread_create(&thread, NULL, message_of_new_thread, NULL), 0);
    assert_int_equal(pthread_join(thread, &length_there), 0);
    assert_null(length_there); /* another thread's failures are its own */
}

static void quotes(void **state)
{
    char out[300], small[12], tiny[3];
    assert_string_equal(osp_quote(out, sizeof out, "a \"b\"\n\0\x80~", 9), "a \"b\"\\x0a\\x00\\x80~");
    char long_text[100];
    memset(long_text, 'x', sizeof long_text);
    osp_quote(out, sizeof out, long_text, 100);
    assert_int_equal(strlen(out), 63);
    assert_string_equal(out + 59, "x...");
    assert_int_equal(strlen(osp_quote(out, sizeof out, long_text, 60)), 60);
    assert_string_equal(osp_quote(small, sizeof small, "abcdefghijkl", 12), "abcdefgh...");
    assert_string_equal(osp_quote(small, sizeof small, "\1\1\1\1", 4), "\\x01\\x01...");
    assert_string_equal(osp_quote(tiny, sizeof tiny, "a", 1), "..");
    assert_string_equal(osp_quote(out, sizeof out, "", 0), "");
}

/* ---- The cursor --------------------------------------------------------------------------------- */

static void cursor(void **state)
{
    static const uint8_t data[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0xff};
    struct osp_cursor c = {.path = "f", .data = data, .size = sizeof data, .base = 1000};
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64 = 77;
    const uint8_t *bytes;
    assert_int_equal(osp_read_u8(&c, "one", &u8), OSP_OK);
    assert_int_equal(osp_read_u16(&c, "two", &u16), OSP_OK);
    assert_int_equal(osp_read_u32(&c, "four", &u32), OSP_OK);
    assert_int_equal(osp_read_u64(&c, "eight", &u64), OSP_OK);
    assert_int_equal(u8, 1);
    assert_int_equal(u16, 0x0302);
    assert_int_equal(u32, 0x07060504);
    assert_true(u64 == 0x0f0e0d0c0b0a0908);
    assert_int_equal(osp_read_left(&c), 1);

    assert_int_equal(osp_read_u16(&c, "more", &u16), OSP_REFUSED);
    assert_string_equal(osp_message(), "f: offset 1015: more: needs 2 bytes, found 1 to the end");
    assert_int_equal(c.at, 15);
    assert_int_equal(osp_read_bytes(&c, "many", UINT64_MAX, &bytes), OSP_REFUSED);
    folder_assert_says("f: offset 1015: many: needs 18446744073709551615 bytes, found 1 to the end");
    assert_int_equal(osp_read_bytes(&c, "last", 1, &bytes), OSP_OK);
    assert_ptr_equal(bytes, data + 15);
    assert_int_equal(osp_read_bytes(&c, "none", 0, &bytes), OSP_OK);
    assert_int_equal(osp_read_u8(&c, "past", &u8), OSP_REFUSED);
    assert_int_equal(osp_read_seek(&c, "jump", 17), OSP_REFUSED);
    assert_string_equal(osp_message(), "f: offset 1016: jump: found offset 1017, allowed at most 1016");
    assert_int_equal(osp_read_seek(&c, "jump", UINT64_MAX), OSP_REFUSED);
    assert_int_equal(c.at, 16);
    assert_int_equal(osp_read_seek(&c, "jump", 16), OSP_OK);
    assert_int_equal(osp_read_seek(&c, "jump", 3), OSP_OK);
    assert_int_equal(osp_read_u32(&c, "four", &u32), OSP_OK);
    assert_int_equal(u32, 0x07060504);
}

static void products(void **state)
{
    uint64_t out;
    assert_true(osp_mul(UINT64_C(1) << 32, UINT64_C(1) << 31, &out) && out == UINT64_C(1) << 63);
    assert_false(osp_mul(UINT64_C(1) << 32, UINT64_C(1) << 32, &out));
    assert_true(osp_add(UINT64_MAX - 1, 1, &out) && out == UINT64_MAX);
    assert_false(osp_add(UINT64_MAX, 1, &out));
}

/* ---- Mapping ------------------------------------------------------------------------------------ */

static void refuse_map(const char *path, osp_status status, const char *words)
{
    struct osp_file file;
    assert_int_equal(osp_file_map(path, &file), status);
    folder_assert_says(path);
    folder_assert_says(words);
}

static void what_is_no_file(void **state)
{
    char *folder = folder_enter();
    alarm(20); /* a FIFO that is waited for would end the test */
    assert_int_equal(mkfifo("fifo", 0600), 0);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    assert_int_equal(symlink("nowhere", "dangling"), 0);
    assert_int_equal(symlink("loop", "loop"), 0);
    assert_int_equal(symlink("/dev/zero", "zero"), 0);

    refuse_map("absent", OSP_UNREADABLE, strerror(ENOENT));
    refuse_map("", OSP_UNREADABLE, strerror(ENOENT));
    refuse_map(".", OSP_UNREADABLE, "found a folder, allowed: a regular file");
    refuse_map("fifo", OSP_UNREADABLE, "found a FIFO, allowed: a regular file");
    refuse_map("socket", OSP_UNREADABLE, "found a socket, allowed: a regular file");
    refuse_map("zero", OSP_UNREADABLE, "found a device, allowed: a regular file");
    refuse_map("dangling", OSP_UNREADABLE, strerror(ENOENT));
    refuse_map("loop", OSP_UNREADABLE, strerror(ELOOP));
    alarm(0);

    folder_put("file", "text");
    assert_int_equal(symlink("file", "link"), 0);
    struct osp_file file;
    assert_int_equal(osp_file_map("link", &file), OSP_OK);
    assert_int_equal(file.size, 4);
    assert_memory_equal(file.data, "text", 4);
    assert_int_equal(osp_file_unchanged(&file), OSP_OK);
    osp_file_unmap(&file);
    osp_file_unmap(&file);

    folder_put("empty", "");
    assert_int_equal(osp_file_map("empty", &file), OSP_OK);
    assert_int_equal(file.size, 0);
    assert_int_equal(osp_file_unchanged(&file), OSP_OK);
    osp_file_unmap(&file);

    struct osp_file nothing = {0};
    osp_file_unmap(&nothing);
    assert_int_equal(fcntl(0, F_GETFD) == -1 && errno == EBADF, 0); /* descriptor 0 was not taken for a file's */

    const char *made[] = {"fifo", "socket", "dangling", "loop", "zero", "file", "link", "empty"};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++)
        assert_int_equal(unlink(made[i]), 0);
    folder_leave(folder);
}

/* A file of n pages of 'x', mapped. */
static struct osp_file pages(const char *path, size_t n)
{
    size_t size = n * (size_t)sysconf(_SC_PAGESIZE);
    char *bytes = malloc(size);
    memset(bytes, 'x', size);
    FILE *stream = fopen(path, "w");
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, size, stream), size);
    assert_int_equal(fclose(stream), 0);
    free(bytes);
    struct osp_file file;
    assert_int_equal(osp_file_map(path, &file), OSP_OK);
    assert_int_equal(file.size, size);
    return file;
}

static void cut_while_mapped(void **state)
{
    char *folder = folder_enter();
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct osp_file whole = pages("whole", 2), file = pages("file", 4);
    assert_int_equal(truncate("file", (off_t)page + 10), 0);

    volatile const uint8_t *data = file.data;
    int sum = 0;
    for (size_t i = 2 * page; i < file.size; i++)
        sum += data[i];
    assert_int_equal(sum, 0); /* zeros, and no signal */
    assert_int_equal(data[0], 'x');
    assert_int_equal(data[page + 9], 'x');
    assert_int_equal(data[page + 10], 0);
    assert_int_equal(osp_file_unchanged(&file), OSP_REFUSED);
    folder_assert_says("file: the file changed while it was in use");

    /* Grown back to its size, what was lost stays lost, and is still told. */
    assert_int_equal(truncate("file", (off_t)(4 * page)), 0);
    assert_int_equal(osp_file_unchanged(&file), OSP_REFUSED);
    folder_assert_says("file: a part of the file could not be read");

    assert_int_equal(whole.data[2 * page - 1], 'x');
    assert_int_equal(osp_file_unchanged(&whole), OSP_OK);
    osp_file_unmap(&whole);
    osp_file_unmap(&file);
    unlink("whole");
    unlink("file");
    folder_leave(folder);
}

/* Pages of files that this process holds in memory. */
static long file_pages_held(void)
{
    long size, resident, shared;
    FILE *stream = fopen("/proc/self/statm", "r");
    assert_non_null(stream);
    assert_int_equal(fscanf(stream, "%ld %ld %ld", &size, &resident, &shared), 3);
    fclose(stream);
    return shared;
}

static long sum_of(const struct osp_file *file)
{
    long sum = 0;
    for (size_t i = 0; i < file->size; i++)
        sum += file->data[i];
    return sum;
}

static void memory_given_back(void **state)
{
    enum { PAGES = 1024 };
    char *folder = folder_enter();
    struct osp_file file = pages("file", PAGES), nothing = {0};
    long all = (long)file.size * 'x';
    assert_int_equal(sum_of(&file), all);
    long held = file_pages_held();
    osp_file_give_back(&file);
    assert_in_range(held - file_pages_held(), PAGES / 2, PAGES);
    assert_int_equal(sum_of(&file), all); /* read again */
    assert_int_equal(osp_file_unchanged(&file), OSP_OK);
    osp_file_give_back(&nothing);

    assert_int_equal(truncate("file", 0), 0); /* what was cut off stays zeros */
    osp_file_give_back(&file);
    assert_int_equal(sum_of(&file), 0);
    osp_file_give_back(&file);
    assert_int_equal(sum_of(&file), 0);
    assert_int_equal(osp_file_unchanged(&file), OSP_REFUSED);
    osp_file_unmap(&file);
    unlink("file");
    folder_leave(folder);
}

static void written_while_mapped(void **state)
{
    char *folder = folder_enter();
    struct osp_file file = pages("file", 1);
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1000}};
    assert_int_equal(utimensat(AT_FDCWD, "file", times, 0), 0);
    assert_int_equal(osp_file_unchanged(&file), OSP_REFUSED);
    folder_assert_says("file: the file was written to while it was in use");
    osp_file_unmap(&file);

    file = pages("file", 1);
    FILE *stream = fopen("file", "a");
    fputc('y', stream);
    fclose(stream);
    assert_int_equal(osp_file_unchanged(&file), OSP_REFUSED);
    folder_assert_says(" that it had when opened");
    osp_file_unmap(&file);

    file = pages("file", 1); /* another file under the same name changes nothing: ours is still there */
    folder_put("other", "z");
    assert_int_equal(rename("other", "file"), 0);
    assert_int_equal(osp_file_unchanged(&file), OSP_OK);
    assert_int_equal(file.data[0], 'x');
    osp_file_unmap(&file);
    unlink("file");
    folder_leave(folder);
}

/* Reads a page that is not there, through a map of one's own. */
static void fault(void)
{
    int fd = open("foreign", O_RDWR | O_CREAT, 0600);
    volatile const char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    (void)p[0];
}

static void own_handler(int signal_number) { _exit(42); }
static void own_action(int signal_number, siginfo_t *info, void *context) { _exit(info->si_addr ? 43 : 44); }

static struct sigaction osprey; /* what a program's own handler hands on to */
static void passing_action(int signal_number, siginfo_t *info, void *context)
{
    osprey.sa_sigaction(signal_number, info, context);
}

/* How a child ends that sets SIGBUS's handler as told, then maps a file with osprey, then meets a foreign fault or a sent signal.
 */
static int end_of_child(void (*handler)(int), void (*action)(int, siginfo_t *, void *), bool sent)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        struct sigaction own = {.sa_handler = handler};
        if (action) {
            own.sa_sigaction = action;
            own.sa_flags = SA_SIGINFO;
        }
        sigaction(SIGBUS, &own, NULL);
        struct osp_file file;
        if (osp_file_map("file", &file) != OSP_OK)
            _exit(1);
        if (sent)
            raise(SIGBUS);
        else
            fault();
        _exit(2);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* A program sets a handler that calls osprey's, after which osprey maps again: neither may call the other for ever. */
static int end_of_circle(void)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGBUS, SIG_DFL);
        struct osp_file first, second;
        struct sigaction own = {.sa_sigaction = passing_action, .sa_flags = SA_SIGINFO};
        osp_status status = osp_file_map("file", &first);
        sigaction(SIGBUS, &own, &osprey);
        if (status == OSP_OK && osp_file_map("file", &second) == OSP_OK)
            fault();
        _exit(2);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void foreign_faults(void **state)
{
    char *folder = folder_enter();
    folder_put("file", "text");
    assert_int_equal(end_of_child(SIG_DFL, NULL, false), -SIGBUS);
    assert_int_equal(end_of_child(SIG_DFL, NULL, true), -SIGBUS);
    assert_int_equal(end_of_child(SIG_IGN, NULL, true), 2);
    assert_int_equal(end_of_child(SIG_IGN, NULL, false), -SIGBUS);
    assert_int_equal(end_of_child(own_handler, NULL, false), 42);
    assert_int_equal(end_of_child(NULL, own_action, false), 43);
    assert_int_equal(end_of_circle(), -SIGBUS);
    unlink("file");
    unlink("foreign");
    folder_leave(folder);
}

static void many_maps(void **state)
{
    enum { MOST = 1024 };
    static struct osp_file files[MOST + 1];
    char *folder = folder_enter();
    folder_put("file", "text");
    struct rlimit before, more;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    more = before;
    if (more.rlim_cur < MOST + 64)
        more.rlim_cur = MOST + 64;
    int allowed = setrlimit(RLIMIT_NOFILE, &more), count = 0;
    while (count <= MOST && osp_file_map("file", &files[count]) == OSP_OK)
        count++;
    if (allowed == 0) {
        assert_int_equal(count, MOST);
        assert_string_equal(osp_message(), "file: 1024 files are mapped already, allowed at most 1024");
    } else {
        print_message("this system allows only %llu open files: their limit is met first\n", (unsigned long long)before.rlim_max);
        folder_assert_says(strerror(EMFILE));
    }
    osp_file_unmap(&files[7]);
    assert_int_equal(osp_file_map("file", &files[7]), OSP_OK);
    while (count > 0)
        osp_file_unmap(&files[--count]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    unlink("file");
    folder_leave(folder);
}

/* ---- SHA-256 ------------------------------------------------------------------------------------ */

/* A file is hashed piece by piece, and what was read of it is given back. */
static void sha256_of_files(void **state)
{
    static const int sizes[] = {0, 1, 2048, 4097};
    char *folder = folder_enter(), hex[65], expected[65];
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct osp_file file = pages("file", sizes[i]);
        osp_sha256_hex(file.data, file.size, expected);
        osp_file_give_back(&file);
        long held = file_pages_held();
        osp_sha256_file(&file, hex);
        assert_string_equal(hex, expected);
        assert_in_range(file_pages_held(), 0, held + 16);
        osp_file_unmap(&file);
        unlink("file");
    }
    folder_leave(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sentences),
        cmocka_unit_test(quotes),
        cmocka_unit_test(cursor),
        cmocka_unit_test(products),
        cmocka_unit_test(what_is_no_file),
        cmocka_unit_test(cut_while_mapped),
        cmocka_unit_test(memory_given_back),
        cmocka_unit_test(foreign_faults),
        cmocka_unit_test(many_maps),
        cmocka_unit_test(written_while_mapped),
        cmocka_unit_test(sha256_of_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
