/* Streams are queues, and nothing in them runs before something waits: work that was not waited for is not there, as on a bad day
 * on a GPU. With a seed, work of other streams that may run is run in between, in a shuffled order. */
#include <algorithm>
#include <chrono>
#include <deque>
#include <functional>

#include "internal.h"
#include "stream.h"

struct emu_stream {
    std::deque<emu::Task> queue;
    uint64_t queued = 0, done = 0; /* tickets */
    emu_graph *capture = nullptr;  /* tasks go there instead */
    std::vector<size_t> after;     /* in a capture: what the next task comes after */
};
struct emu_event {
    emu_stream *stream = nullptr; /* NULL: never recorded */
    uint64_t ticket = 0;
    double seconds = 0;
    emu_graph *capture = nullptr;
    std::vector<size_t> after;
};
struct emu_graph {
    emu_stream *origin;
    std::vector<emu::Node> nodes;
    bool invalid = false, finished = false;
};
struct emu_graph_exec {
    std::vector<emu::Node> nodes;
};

namespace emu
{

static std::vector<emu_stream *> streams;
static std::vector<emu_event *> events;
static std::vector<emu_graph *> graphs;
static std::vector<emu_graph_exec *> execs;
static emu_stream *default_stream;
static Random order{0};

template <class T> static bool among(const std::vector<T *> &all, const T *one)
{
    return std::find(all.begin(), all.end(), one) != all.end();
}
template <class T> static void forget(std::vector<T *> &all, T *one) { all.erase(std::find(all.begin(), all.end(), one)); }

static emu_stream *stream_of(emu_stream *stream)
{
    if (stream)
        return among(streams, stream) ? stream : nullptr;
    if (!default_stream) {
        default_stream = new emu_stream;
        streams.push_back(default_stream);
    }
    return default_stream;
}

static double seconds_now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

void streams_reseed() { order = Random(settings.seed); }

static emu_status verdict() { return reported() ? EMU_LAUNCH_FAILED : EMU_OK; }

/* ---- Running --------------------------------------------------------------------------------- */

/* Runs the first task of a stream, or what that task waits for. */
static void step(emu_stream *stream)
{
    while (!stream->queue.empty() && stream->queue.front().stream) {
        const Task &wait = stream->queue.front();
        if (!among(streams, wait.stream) || wait.stream->done >= wait.ticket)
            break;
        stream = wait.stream;
    }
    if (stream->queue.empty())
        return;
    Task task = std::move(stream->queue.front());
    stream->queue.pop_front();
    if (task.action)
        task.action();
    stream->done++;
}

static void run_until(emu_stream *stream, uint64_t ticket)
{
    while (stream->done < ticket) {
        if (settings.seed && order.below(2)) {
            emu_stream *other = streams[order.below(streams.size())];
            if (!other->queue.empty())
                step(other);
            continue;
        }
        step(stream);
    }
}

void streams_run_all()
{
    for (;;) {
        std::vector<emu_stream *> busy;
        for (emu_stream *stream : streams)
            if (!stream->queue.empty())
                busy.push_back(stream);
        if (busy.empty())
            return;
        step(busy[settings.seed ? order.below(busy.size()) : 0]);
    }
}

/* ---- Queueing -------------------------------------------------------------------------------- */

static void enqueue(emu_stream *stream, Task task)
{
    stream->queue.push_back(std::move(task));
    stream->queued++;
}

static void wait_in(emu_stream *stream, emu_stream *other, uint64_t ticket)
{
    if (other != stream && ticket > other->done)
        enqueue(stream, Task{nullptr, other, ticket});
}

/* The default stream waits for all the others, and they for it. */
static emu_status submit(emu_stream *handle, std::function<void()> action)
{
    emu_stream *stream = stream_of(handle);
    if (!stream)
        return EMU_INVALID_HANDLE;
    if (stream->capture) {
        std::vector<Node> &nodes = stream->capture->nodes;
        nodes.push_back(Node{std::move(action), stream->after});
        stream->after = {nodes.size() - 1};
        return EMU_OK;
    }
    if (stream == default_stream) {
        for (emu_stream *other : streams)
            wait_in(stream, other, other->queued);
    } else if (default_stream)
        wait_in(stream, default_stream, default_stream->queued);
    enqueue(stream, Task{std::move(action), nullptr, 0});
    return EMU_OK;
}

static bool capturing()
{
    return std::any_of(streams.begin(), streams.end(), [](const emu_stream *s) { return s->capture; });
}

/* A call that waits is an error while a stream is captured, and spoils the capture. */
static bool refuse_wait()
{
    for (emu_stream *stream : streams)
        if (stream->capture)
            stream->capture->invalid = true;
    return capturing();
}

emu_status stream_create(emu_stream **out)
{
    streams.push_back(*out = new emu_stream);
    return EMU_OK;
}

emu_status stream_destroy(emu_stream *stream)
{
    if (!stream || !among(streams, stream))
        return EMU_INVALID_HANDLE;
    if (stream->capture)
        return EMU_CAPTURE_UNSUPPORTED;
    run_until(stream, stream->queued);
    for (emu_event *event : events)
        if (event->stream == stream)
            event->stream = nullptr;
    forget(streams, stream);
    delete stream;
    return EMU_OK;
}

emu_status stream_wait(emu_stream *handle)
{
    emu_stream *stream = stream_of(handle);
    if (!stream)
        return EMU_INVALID_HANDLE;
    if (refuse_wait())
        return EMU_CAPTURE_UNSUPPORTED;
    if (stream == default_stream)
        streams_run_all();
    else
        run_until(stream, stream->queued);
    return verdict();
}

emu_status wait_all()
{
    if (refuse_wait())
        return EMU_CAPTURE_UNSUPPORTED;
    streams_run_all();
    return verdict();
}

/* ---- Copies ---------------------------------------------------------------------------------- */

static Totals totals;
const Totals &totals_so_far() { return totals; }

emu_status copy_to_device(void *to, const void *from, size_t bytes, emu_stream *stream)
{
    bool at_once = !capturing() && !host_pinned(from, bytes);
    std::vector<char> staged;
    if (at_once)
        staged.assign(static_cast<const char *>(from), static_cast<const char *>(from) + bytes);
    return submit(stream, [=, staged = std::move(staged)] {
        totals.copies++;
        if (memory_range("a copy to the device", to, bytes, true))
            memcpy(to, at_once ? staged.data() : from, bytes);
    });
}

emu_status copy_to_host(void *to, const void *from, size_t bytes, emu_stream *stream)
{
    emu_status status = submit(stream, [=] {
        totals.copies++;
        if (memory_range("a copy from the device", from, bytes, false))
            memcpy(to, from, bytes);
    });
    return status || capturing() || host_pinned(to, bytes) ? status : stream_wait(stream);
}

emu_status copy_on_device(void *to, const void *from, size_t bytes, emu_stream *stream)
{
    return submit(stream, [=] {
        totals.copies++;
        if (memory_range("a copy from the device", from, bytes, false) && memory_range("a copy to the device", to, bytes, true))
            memmove(to, from, bytes);
    });
}

emu_status fill(void *to, int byte, size_t bytes, emu_stream *stream)
{
    return submit(stream, [=] {
        totals.fills++;
        if (memory_range("a fill", to, bytes, true))
            memset(to, byte, bytes);
    });
}

/* ---- Launches -------------------------------------------------------------------------------- */

emu_status launch(const char *name, const unsigned grid[3], const unsigned block[3], size_t shared_bytes, emu_stream *stream,
                  void **arguments)
{
    const Kernel *kernel = kernel_of(name);
    if (!kernel)
        return EMU_NOT_FOUND;
    if (!memory_open())
        return EMU_OUT_OF_MEMORY;
    emu_status status = launch_check(kernel, grid, block, shared_bytes);
    if (status)
        return status;
    std::vector<char> packed(kernel->bytes);
    kernel->pack(packed.data(), arguments);
    dim3 blocks(grid[0], grid[1], grid[2]), threads(block[0], block[1], block[2]);
    return submit(stream, [=, packed = std::move(packed)] {
        Launch what(kernel, blocks, threads, shared_bytes);
        what.packed = packed;
        totals.launches++;
        totals.blocks += (long)blocks.x * blocks.y * blocks.z;
        totals.threads += (long)blocks.x * blocks.y * blocks.z * threads.x * threads.y * threads.z;
        launch_run(what);
    });
}

/* ---- Events ---------------------------------------------------------------------------------- */

emu_status event_create(emu_event **out)
{
    events.push_back(*out = new emu_event);
    return EMU_OK;
}

emu_status event_destroy(emu_event *event)
{
    if (!among(events, event))
        return EMU_INVALID_HANDLE;
    forget(events, event);
    delete event;
    return EMU_OK;
}

emu_status event_record(emu_event *event, emu_stream *handle)
{
    emu_stream *stream = stream_of(handle);
    if (!stream || !among(events, event))
        return EMU_INVALID_HANDLE;
    event->capture = stream->capture;
    if (stream->capture) {
        event->after = stream->after;
        return EMU_OK;
    }
    submit(handle, [event] {
        if (among(events, event))
            event->seconds = seconds_now();
    });
    event->stream = stream;
    event->ticket = stream->queued;
    return EMU_OK;
}

emu_status stream_wait_event(emu_stream *handle, emu_event *event)
{
    emu_stream *stream = stream_of(handle);
    if (!stream || !among(events, event))
        return EMU_INVALID_HANDLE;
    if (event->capture) {
        if (stream->capture && stream->capture != event->capture)
            return EMU_CAPTURE_INVALIDATED;
        stream->capture = event->capture;
        for (size_t node : event->after)
            if (std::find(stream->after.begin(), stream->after.end(), node) == stream->after.end())
                stream->after.push_back(node);
    } else if (event->stream)
        wait_in(stream, event->stream, event->ticket);
    return EMU_OK;
}

emu_status event_wait(emu_event *event)
{
    if (!among(events, event))
        return EMU_INVALID_HANDLE;
    if (refuse_wait())
        return EMU_CAPTURE_UNSUPPORTED;
    if (event->stream)
        run_until(event->stream, event->ticket);
    return verdict();
}

emu_status event_query(emu_event *event)
{
    if (!among(events, event))
        return EMU_INVALID_HANDLE;
    return event->stream && event->stream->done < event->ticket ? EMU_NOT_READY : EMU_OK;
}

emu_status event_elapsed(float *milliseconds, emu_event *from, emu_event *to)
{
    emu_status status = event_query(from);
    if (!status)
        status = event_query(to);
    if (status)
        return status;
    if (from->seconds == 0 || to->seconds == 0)
        return EMU_INVALID_HANDLE;
    *milliseconds = (float)((to->seconds - from->seconds) * 1e3);
    return EMU_OK;
}

/* ---- Graphs: what a captured stream was asked to do, with what each task comes after --------- */

emu_status capture_begin(emu_stream *stream)
{
    if (!stream || !among(streams, stream))
        return EMU_INVALID_HANDLE;
    if (stream->capture)
        return EMU_CAPTURE_UNMATCHED;
    graphs.push_back(stream->capture = new emu_graph{stream, {}});
    stream->after.clear();
    return EMU_OK;
}

emu_status capture_end(emu_stream *stream, emu_graph **out)
{
    *out = nullptr;
    if (!stream || !among(streams, stream))
        return EMU_INVALID_HANDLE;
    emu_graph *graph = stream->capture;
    if (!graph || graph->origin != stream)
        return EMU_CAPTURE_UNMATCHED;
    bool unjoined = false;
    std::vector<size_t> joined = stream->after;
    for (size_t i = 0; i < joined.size(); i++)
        for (size_t before : graph->nodes[joined[i]].after)
            if (std::find(joined.begin(), joined.end(), before) == joined.end())
                joined.push_back(before);
    for (emu_stream *other : streams) {
        if (other->capture != graph)
            continue;
        for (size_t node : other->after)
            unjoined |= std::find(joined.begin(), joined.end(), node) == joined.end();
        other->capture = nullptr;
        other->after.clear();
    }
    for (emu_event *event : events)
        if (event->capture == graph)
            event->capture = nullptr;
    if (!graph->invalid && !unjoined) {
        graph->finished = true;
        *out = graph;
        return EMU_OK;
    }
    emu_status status = graph->invalid ? EMU_CAPTURE_INVALIDATED : EMU_CAPTURE_UNJOINED;
    forget(graphs, graph);
    delete graph;
    return status;
}

emu_status graph_instantiate(emu_graph_exec **out, emu_graph *graph)
{
    *out = nullptr;
    if (!among(graphs, graph) || !graph->finished)
        return EMU_INVALID_HANDLE;
    execs.push_back(*out = new emu_graph_exec{graph->nodes});
    return EMU_OK;
}

/* Natural: as captured. With a seed: any node whose predecessors have run. */
static void run_nodes(const std::vector<Node> &nodes)
{
    std::vector<size_t> left(nodes.size());
    std::vector<bool> ran(nodes.size());
    for (size_t i = 0; i < left.size(); i++)
        left[i] = i;
    while (!left.empty()) {
        size_t pick = settings.seed ? order.below(left.size()) : 0;
        const Node &node = nodes[left[pick]];
        if (!std::all_of(node.after.begin(), node.after.end(), [&](size_t i) { return ran[i]; }))
            continue;
        node.action();
        ran[left[pick]] = true;
        left.erase(left.begin() + (long)pick);
    }
}

emu_status graph_launch(emu_graph_exec *exec, emu_stream *stream)
{
    if (!among(execs, exec))
        return EMU_INVALID_HANDLE;
    return submit(stream, [nodes = exec->nodes] { run_nodes(nodes); });
}

emu_status graph_destroy(emu_graph *graph)
{
    if (!among(graphs, graph) || !graph->finished)
        return EMU_INVALID_HANDLE;
    forget(graphs, graph);
    delete graph;
    return EMU_OK;
}

emu_status graph_exec_destroy(emu_graph_exec *exec)
{
    if (!among(execs, exec))
        return EMU_INVALID_HANDLE;
    forget(execs, exec);
    delete exec;
    return EMU_OK;
}

Handles handles_left()
{
    return Handles{streams.size() - (default_stream != nullptr), events.size(), graphs.size(), execs.size()};
}

} // namespace emu
