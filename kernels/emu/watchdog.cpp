/* Kernels that hang. A launch in which no thread has ended for some seconds is asked to stop: all that a thread asks of the
 * emulator looks at `stop`. A thread that asks nothing, because it turns in a loop of its own, is interrupted by a signal, and
 * left where it is. The handler is there only for that moment. */
#include <pthread.h>
#include <signal.h>

#include <chrono>
#include <condition_variable>
#include <thread>

#include "internal.h"

#if defined(__x86_64__) && defined(__linux__)
#include <ucontext.h>
#endif

namespace emu
{

static int the_signal() { return SIGRTMAX - 2; }

static void interrupted(int, siginfo_t *, void *context)
{
    Worker *w = worker;
    if (!w || !self || !w->stop)
        return;
#if defined(__x86_64__) && defined(__linux__)
    w->stopped_at = (uintptr_t) static_cast<ucontext_t *>(context)->uc_mcontext.gregs[REG_RIP] + 1;
#endif
    stop_now(*w);
}

/* After the switch away from the handler its signal is still blocked. */
void watchdog_unblock()
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, the_signal());
    pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

class Watchdog
{
    std::mutex mutex;
    std::condition_variable wake;
    std::atomic<bool> asleep{true};
    std::atomic<unsigned long> launches{0}, finished{0};
    bool started = false;

    static unsigned long progress()
    {
        unsigned long sum = 0;
        for (Worker *w : workers)
            sum += w ? w->progress.load(std::memory_order_relaxed) : 0;
        return sum;
    }

    /* Called when the launch has stood still; it may end at any time. */
    void stop(unsigned long launch)
    {
        for (Worker *w : workers)
            if (w && w->running)
                w->stop = true;
        struct sigaction action = {}, before;
        action.sa_sigaction = interrupted;
        action.sa_flags = SA_SIGINFO;
        sigaction(the_signal(), &action, &before);
        for (int tries = 0; finished < launch; tries++) {
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
            if (tries < 4) /* those that ask the emulator for something stop by themselves */
                continue;
            std::lock_guard<std::mutex> lock(mutex); /* no worker leaves while it is signalled */
            for (Worker *w : workers)
                if (w && w->running && w->stop && finished < launch)
                    pthread_kill(w->os_thread, the_signal());
        }
        sigaction(the_signal(), &before, nullptr);
    }

    void watch()
    {
        unsigned long launch = 0, last = 0;
        double still = 0;
        for (;;) {
            double period = settings.watchdog > 0 ? settings.watchdog / 8 : 1;
            period = period > 0.5 ? 0.5 : period;
            std::unique_lock<std::mutex> lock(mutex);
            if (finished == launches && launch == launches) {
                asleep = true;
                wake.wait(lock, [&] { return !asleep; });
            }
            lock.unlock();
            std::this_thread::sleep_for(std::chrono::duration<double>(period));
            unsigned long now = progress();
            if (launch != launches || now != last || finished == launches || settings.watchdog <= 0) {
                launch = launches;
                last = now;
                still = 0;
                continue;
            }
            still += period;
            if (still >= settings.watchdog)
                stop(launch);
        }
    }

  public:
    void begin()
    {
        launches++;
        if (!asleep)
            return;
        std::lock_guard<std::mutex> lock(mutex);
        asleep = false;
        if (!started)
            std::thread([this] { watch(); }).detach();
        started = true;
        wake.notify_one();
    }
    void end() { finished = launches.load(); }
    void leave(Worker &w)
    {
        std::lock_guard<std::mutex> lock(mutex);
        w.running = false;
    }
};

static Watchdog &watchdog()
{
    static Watchdog &one = *new Watchdog; /* its thread outlives main */
    return one;
}

void watchdog_begin()
{
    if (settings.watchdog > 0)
        watchdog().begin();
}
void watchdog_end()
{
    if (settings.watchdog > 0)
        watchdog().end();
}

void watchdog_enter(Worker &w)
{
    w.os_thread = pthread_self();
    w.stop = false;
    w.stopped_at = 0;
    w.running = true;
}
void watchdog_leave(Worker &w) { watchdog().leave(w); }

} // namespace emu
