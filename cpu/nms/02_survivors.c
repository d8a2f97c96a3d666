/* nms / survivors
 *
 * CHANGE  each box, best first, is tested against the survivors of its own group only, which lie side by side with their
 *         areas; images are shared out over the threads
 * FASTER  nothing fallen or of another group is ever read again, a box stops at the first block with a survivor that fells
 *         it, and the test runs on whole vectors
 * LIMIT   the division, once for each pair
 * NEEDS   any shape
 */
#include "cpu/nms/nms.h"

enum { BLOCK = 32 }; /* survivors between two looks at the answer */

struct group { /* its survivors are x0[start], ..., x0[start + count - 1], and so on */
    int64_t start, count;
};

/* One image's work space: T of each. Candidates are numbered by rank: 0 is the best. */
struct space {
    uint64_t *keys, *by_group, *spare;
    struct group *group;
    float *x0, *y0, *x1, *y1, *area; /* survivors: group after group, each with room for all its candidates */
    int32_t *member;                 /* the group of a candidate */
};

static size_t space_bytes(int64_t t)
{
    return (size_t)t * (3 * sizeof(uint64_t) + sizeof(struct group) + 5 * sizeof(float) + sizeof(int32_t)); /* a multiple of 8 */
}

static struct space space_of(void *scratch, int64_t n, int64_t t)
{
    uint64_t *keys = (uint64_t *)((char *)scratch + (size_t)n * space_bytes(t));
    struct group *group = (struct group *)(keys + 3 * t);
    float *x0 = (float *)(group + t);
    return (struct space){.keys = keys,
                          .by_group = keys + t,
                          .spare = keys + 2 * t,
                          .group = group,
                          .x0 = x0,
                          .y0 = x0 + t,
                          .x1 = x0 + 2 * t,
                          .y1 = x0 + 3 * t,
                          .area = x0 + 4 * t,
                          .member = (int32_t *)(x0 + 5 * t)};
}

/* Numbers the groups and gives each its room: sorting by group brings its members together. */
static void find_groups(const struct nms_image *image, const struct space *space, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        space->by_group[i] = order_key((uint32_t)image->groups[order_position(space->keys[i])], (uint32_t)i);
    order_sort_by_rank(space->by_group, space->spare, count);
    int32_t groups = 0;
    for (int64_t i = 0; i < count; i++) {
        if (i == 0 || space->by_group[i] >> 32 != space->by_group[i - 1] >> 32)
            space->group[groups++] = (struct group){i, 0};
        space->member[order_position(space->by_group[i])] = groups - 1;
    }
}

/* Whether a survivor among first..end-1 fells the box. The arithmetic is rung `serial`'s, pair by pair. */
static int felled(const struct space *space, int64_t first, int64_t end, const float *box, float threshold)
{
    float area = nms_area(box);
    int above = 0;
    for (int64_t i = first; i < end; i++) {
        float left = space->x0[i] < box[0] ? box[0] : space->x0[i], right = box[2] < space->x1[i] ? box[2] : space->x1[i];
        float top = space->y0[i] < box[1] ? box[1] : space->y0[i], bottom = box[3] < space->y1[i] ? box[3] : space->y1[i];
        float w = right - left > 0 ? right - left : 0, h = bottom - top > 0 ? bottom - top : 0;
        float inter = w * h;
        above |= inter / (space->area[i] + area - inter) > threshold;
    }
    return above;
}

static void add_survivor(const struct space *space, struct group *group, const float *box)
{
    int64_t i = group->start + group->count++;
    space->x0[i] = box[0];
    space->y0[i] = box[1];
    space->x1[i] = box[2];
    space->y1[i] = box[3];
    space->area[i] = nms_area(box);
}

static void sweep(const struct nms_image *image, float threshold, const struct space *space)
{
    int64_t count = nms_keys(image, space->keys), kept = 0;
    order_sort_by_rank(space->keys, space->spare, count);
    find_groups(image, space, count);
    for (int64_t i = 0; i < count && kept < image->m; i++) {
        uint32_t position = order_position(space->keys[i]);
        const float *box = image->boxes + (int64_t)position * 4;
        struct group *group = &space->group[space->member[i]];
        int64_t end = group->start + group->count;
        int fell = 0;
        for (int64_t first = group->start; first < end && !fell; first += BLOCK)
            fell = felled(space, first, first + BLOCK < end ? first + BLOCK : end, box, threshold);
        if (fell)
            continue;
        add_survivor(space, group, box);
        nms_keep(image, kept++, position);
    }
    nms_finish(image, kept);
}

static size_t scratch(const struct osp_device *device, const struct osp_call *call)
{
    const int64_t *dim = call->in[OSP_NMS_SCORES].shape.dim; /* (N,T) */
    return (size_t)dim[0] * space_bytes(dim[1]);
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    const int64_t *dim = call->in[OSP_NMS_SCORES].shape.dim;
#pragma omp parallel for num_threads(cpu_of(device)->threads) schedule(dynamic) if (dim[0] > 1)
    for (int64_t n = 0; n < dim[0]; n++) {
        struct nms_image image = nms_image_of(call, n);
        struct space space = space_of(call->scratch, n, dim[1]);
        sweep(&image, call->attrs->nms.threshold, &space);
    }
    return OSP_OK;
}

const struct osp_kernel cpu_nms_survivors = {.name = "survivors", .scratch = scratch, .run = run};
