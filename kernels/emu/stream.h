/* The host's side: tasks in queues. stream.cpp has the functions that the table in ctl.cpp lists. */
#ifndef EMU_STREAM_H
#define EMU_STREAM_H

#include <functional>

#include "internal.h"

namespace emu
{

/* What is queued: an action, or a wait until another stream has done so many tasks. */
struct Task {
    std::function<void()> action;
    emu_stream *stream;
    uint64_t ticket;
};
struct Node {
    std::function<void()> action;
    std::vector<size_t> after;
};
struct Handles {
    size_t streams, events, graphs, execs;
};
typedef struct emu_totals Totals;

void streams_reseed();
Handles handles_left();
const Totals &totals_so_far();

emu_status stream_create(emu_stream **out);
emu_status stream_destroy(emu_stream *stream);
emu_status stream_wait(emu_stream *stream);
emu_status stream_wait_event(emu_stream *stream, emu_event *event);
emu_status wait_all();
emu_status copy_to_device(void *to, const void *from, size_t bytes, emu_stream *stream);
emu_status copy_to_host(void *to, const void *from, size_t bytes, emu_stream *stream);
emu_status copy_on_device(void *to, const void *from, size_t bytes, emu_stream *stream);
emu_status fill(void *to, int byte, size_t bytes, emu_stream *stream);
emu_status event_create(emu_event **out);
emu_status event_destroy(emu_event *event);
emu_status event_record(emu_event *event, emu_stream *stream);
emu_status event_wait(emu_event *event);
emu_status event_query(emu_event *event);
emu_status event_elapsed(float *milliseconds, emu_event *from, emu_event *to);
emu_status launch(const char *kernel, const unsigned grid[3], const unsigned block[3], size_t shared_bytes, emu_stream *stream,
                  void **arguments);
emu_status capture_begin(emu_stream *stream);
emu_status capture_end(emu_stream *stream, emu_graph **out);
emu_status graph_instantiate(emu_graph_exec **out, emu_graph *graph);
emu_status graph_launch(emu_graph_exec *exec, emu_stream *stream);
emu_status graph_destroy(emu_graph *graph);
emu_status graph_exec_destroy(emu_graph_exec *exec);

} // namespace emu
#endif
