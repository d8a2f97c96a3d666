/* Copies from global to shared memory that run beside the thread (cp.async). Nothing is copied when one begins: it is made by the
 * wait that covers it, as late as the rules allow. A wait that is missing or too loose is then a wrong value in every mode. */
#include "check.h"
#include "internal.h"

namespace emu
{

static bool aligned(const void *pointer, int bytes) { return (uintptr_t)pointer % (unsigned)bytes == 0; }

void copy_async(void *shared, const void *global, int bytes, int valid, Site site)
{
    Worker &w = *worker;
    Fiber *me = w.current();
    uintptr_t pc = (uintptr_t)__builtin_return_address(0);
    if (checked)
        pc = check_copy_site(site, pc);
    if ((bytes != 4 && bytes != 8 && bytes != 16) || valid < 0 || valid > bytes) {
        report("copy-size", Where(pc, shared), "a copy of %d bytes, %d of them valid: 4, 8 or 16, and no more valid than that",
               bytes, valid);
        give_up(w);
    }
    if (!aligned(shared, bytes) || !aligned(global, bytes)) {
        report("misaligned", Where(pc, aligned(shared, bytes) ? global : shared),
               "a copy of %d bytes from %p to %p: both must be aligned to it", bytes, global, shared);
        give_up(w);
    }
    char *to = static_cast<char *>(shared);
    if (to < w.shared || to + bytes > w.shared + ARENA) {
        report("copy-destination", Where(pc, shared), "the copy goes to %p, which is not shared memory", shared);
        give_up(w);
    }
    if (checked) {
        if (valid)
            check_access(global, (unsigned)valid, ASYNC, pc);
        else
            check_idle(ASYNC, pc);
        check_access(shared, (unsigned)bytes, STORE | ASYNC, pc);
        check_copy_begun(to, (size_t)bytes);
    }
    Copies &mine = w.copies[me->linear];
    mine.queue.push_back({to, static_cast<const char *>(global), bytes, valid});
    mine.open++;
}

void copy_commit()
{
    Copies &mine = worker->copies[self->linear];
    mine.groups.push_back(mine.open);
    mine.open = 0;
}

static void make(const Copy &copy)
{
    memcpy(copy.to, copy.from, (size_t)copy.valid);
    memset(copy.to + copy.valid, 0, (size_t)(copy.bytes - copy.valid));
}

void copy_wait(int pending, Site site)
{
    Worker &w = *worker;
    if (mutated(site, false))
        return;
    if (mutated(site, true))
        pending++;
    visit(w, site, EMU_COPY_WAIT, 1);
    if (checked)
        check_copy_wait();
    Fiber *me = w.current();
    Copies &mine = w.copies[me->linear];
    int finished = (int)mine.groups.size() - pending;
    if (finished <= 0)
        return;
    long copies = 0;
    for (int i = 0; i < finished; i++)
        copies += mine.groups[(size_t)i];
    for (long i = 0; i < copies; i++) {
        const Copy &copy = mine.queue[(size_t)i];
        make(copy);
        if (checked)
            check_copy_made(w, me, copy.to, (size_t)copy.bytes);
    }
    mine.groups.erase(mine.groups.begin(), mine.groups.begin() + finished);
    mine.queue.erase(mine.queue.begin(), mine.queue.begin() + copies);
}

void copies_at_exit(Worker &w, Fiber *me)
{
    Copies &mine = w.copies[me->linear];
    if (mine.queue.empty() && mine.groups.empty())
        return;
    if (!mine.queue.empty())
        report("copy-unwaited", Where(), "a thread ends with %zu copies that it never waited for", mine.queue.size());
    mine.queue.clear();
    mine.groups.clear();
    mine.open = 0;
}

} // namespace emu
