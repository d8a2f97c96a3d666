/* The places where threads wait, as they are visited, and the one of them that a mutation run has taken away. */
#include <algorithm>

#include "internal.h"
#include "report.h"

namespace emu
{

Mutation mutation;

struct Known {
    const char *kernel;
    Visit visit;
};
static std::mutex mutex;
static std::vector<Known> known;

void visit(Worker &w, const Site &site, int what, long count)
{
    for (Visit &seen : w.visits)
        if (seen.line == site.line && seen.file == site.file && seen.what == what) {
            seen.count += count;
            return;
        }
    w.visits.push_back({site.file, site.line, what, count});
}

void visits_keep(const Launch &launch, Worker &w)
{
    std::lock_guard<std::mutex> lock(mutex);
    for (const Visit &visit : w.visits) {
        auto same = [&](const Known &k) {
            return k.visit.line == visit.line && k.visit.what == visit.what && !strcmp(k.visit.file, visit.file) &&
                   !strcmp(k.kernel, launch.kernel->name);
        };
        auto found = std::find_if(known.begin(), known.end(), same);
        if (found == known.end())
            known.push_back({launch.kernel->name, visit});
        else
            found->visit.count += visit.count;
    }
    w.visits.clear();
}

int waits_get(int i, struct emu_wait *out)
{
    if (i < 0 || (size_t)i >= known.size())
        return 0;
    const Known &k = known[(size_t)i];
    out->what = (enum emu_wait_kind)k.visit.what;
    out->kernel = k.kernel;
    out->file = k.visit.file;
    out->line = k.visit.line;
    out->count = k.visit.count;
    return 1;
}

void waits_clear() { known.clear(); }

} // namespace emu
