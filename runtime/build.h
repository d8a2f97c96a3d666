/* Building a network: what models/ includes, and nothing else does except runtime/ and tests.
 *
 * A graph is values joined by nodes. Building never fails half way: the first error sticks (with its sentence), later calls
 * do nothing and return OSP_NONE, and osp_graph_finish reports it. Names are the checkpoint's module paths.
 */
#ifndef OSPREY_BUILD_H
#define OSPREY_BUILD_H

#include "ops.h"
#include "osprey.h"
#include "safetensors.h"

#ifdef __cplusplus
extern "C" {
#endif

struct osp_graph;
typedef int osp_value;   /* what flows between nodes */
typedef int osp_weight;  /* a constant */
#define OSP_NONE (-1)

/* Weights are looked up in `file`, which must outlive the graph. */
osp_status osp_graph_new(const struct osp_safetensors *file, struct osp_graph **out);
void osp_graph_free(struct osp_graph *graph);

/* Every node added from now on belongs to this stage (osprey.h, struct osp_line). The string must outlive the graph. */
void osp_graph_stage(struct osp_graph *graph, const char *stage);

/* The graph's two inputs: the u8 pixels of all pictures, and `images` (N,5). */
osp_value osp_graph_pixels(struct osp_graph *graph);
osp_value osp_graph_images(struct osp_graph *graph);

/* A tensor of the file, whose shape must be exactly this (unused dims 0). scale: NULL, or a factor for each row (dims[0] of them; copied).
 * chw: NULL, or {C,H,W} with C*H*W = dims[1]: columns that the file holds in (c,h,w) order are read in (h,w,c) order. */
osp_weight osp_graph_weight(struct osp_graph *graph, const char *name, const int64_t dims[4], const double *scale, const int *chw);

/* A constant vector of n floats, copied. */
osp_weight osp_graph_vector(struct osp_graph *graph, const float *data, int64_t n);

/* Reads a 1-D float tensor of the file into out[n]; 0 on success, and on failure sticks. */
int osp_graph_read(struct osp_graph *graph, const char *name, int64_t n, float *out);
int osp_graph_has(const struct osp_graph *graph, const char *name);

/* Has the network been built with this tensor of the file? */
int osp_graph_uses(const struct osp_graph *graph, const char *name);

/* Adds a node and returns its first output; output i is osp_graph_output_of(value, i). inputs and weights end with the given counts;
 * OSP_NONE marks an absent optional one. The name is copied. */
osp_value osp_graph_node(struct osp_graph *graph, enum osp_op op, const char *name, const union osp_attrs *attrs,
                         const osp_value *inputs, int input_count, const osp_weight *weights, int weight_count);
static inline osp_value osp_graph_output_of(osp_value first, int i) { return first < 0 ? OSP_NONE : first + i; }

/* Keeps a value to the end of a run; what osp_graph_result(i) reads afterwards. At most 8. */
void osp_graph_keep(struct osp_graph *graph, osp_value value);

/* Records an error of the caller's own (a bad class count, say); it sticks like any other. */
void osp_graph_fail(struct osp_graph *graph, const char *format, ...) __attribute__((format(printf, 2, 3)));
int osp_graph_failed(const struct osp_graph *graph);
const char *osp_graph_path(const struct osp_graph *graph); /* of the weight file, for sentences */

/* OSP_OK if everything so far went well, else the first error again. */
osp_status osp_graph_finish(struct osp_graph *graph);

/* ---- Running a graph (models/detect.c) ------------------------------------------------------------ */

/* Everything a model is to the runtime. */
const struct osp_graph *osp_model_graph(const struct osp_model *model);

/* Copies the pictures and the `images` rows (n of them, 5 numbers each; offsets are filled in here) to the device, runs the plan for
 * (n,h,w) and leaves the results there. */
osp_status osp_session_run(struct osp_session *session, const struct osp_image *const *pictures, int64_t *images, int n, int h, int w);

/* Downloads kept value i (in the order of osp_graph_keep) of the last run into out, which has room for `bytes` (its exact size). */
osp_status osp_session_result(struct osp_session *session, int i, void *out, size_t bytes);

/* Its exact size in bytes; 0 before the first run. The capacity of a result follows from the plan, so callers ask. */
size_t osp_session_result_bytes(const struct osp_session *session, int i);

/* For osp_detect: guards a session against a second thread, and notes its own times. */
osp_status osp_session_enter(struct osp_session *session);
void osp_session_leave(struct osp_session *session);
const struct osp_model *osp_session_model(const struct osp_session *session);
void osp_session_size(const struct osp_session *session, int *min_size, int *max_size); /* changes them if the session has its own */
void osp_session_note_postprocess(struct osp_session *session, double seconds);
double osp_seconds(void); /* monotonic */

/* Records the sentence of a failure (backend.h has the same one). */
osp_status osp_fail(osp_status code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Printable form of untrusted bytes for a sentence (file.h has the same one). */
const char *osp_quote(char *buffer, size_t buffer_size, const void *bytes, size_t size);

#ifdef __cplusplus
}
#endif
#endif
