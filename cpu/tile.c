/* Choosing, packing for and sharing out the register tile. */
#include "cpu/tile.h"

extern const struct tile_isa cpu_tile_portable, cpu_tile_avx2, cpu_tile_avx512;

const struct tile_isa *cpu_tile(const struct cpu_device *device)
{
    static const struct tile_isa *const tiles[CPU_ISA_COUNT] = {&cpu_tile_portable, &cpu_tile_avx2, &cpu_tile_avx512};
    return tiles[device->isa];
}

/* rows [count][C][R][S] of outputs into one block [R][S][C][block] */
static void pack_block(const struct tile_weights *weights, int block, int count, const float *rows, float *out)
{
    int64_t taps = weights->r * weights->s, row = weights->c * taps;
    for (int64_t c = 0; c < weights->c; c++)
        for (int64_t tap = 0; tap < taps; tap++)
            for (int k = 0; k < block; k++)
                out[(tap * weights->c + c) * block + k] = k < count ? rows[k * row + c * taps + tap] : 0;
}

static osp_status no_memory(size_t bytes) { return osp_fail(OSP_MEMORY, "cannot pack weights: %zu bytes needed", bytes); }

osp_status cpu_tile_prepare(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    const struct osp_constant *weight = call->constant[OSP_WEIGHT], *bias = call->constant[OSP_BIAS];
    struct osp_shape shape = osp_constant_shape(weight);
    int block = cpu_tile(cpu_of(device))->block;
    bool filter = shape.rank == 4;
    struct tile_weights sizes = {shape.dim[0], shape.dim[1], filter ? shape.dim[2] : 1, filter ? shape.dim[3] : 1, NULL, NULL};
    int64_t blocks = (sizes.k + block - 1) / block, row = sizes.c * sizes.r * sizes.s;
    size_t bytes = sizeof(float) * (size_t)(blocks * block * (row + (bias ? 1 : 0))), head = (sizeof sizes + 63) / 64 * 64;
    size_t temporary = sizeof(float) * (size_t)(block * row);
    char *memory = cpu_alloc(head + bytes);
    float *rows = cpu_alloc(temporary);
    if (!memory || !rows) {
        free(memory);
        free(rows);
        return no_memory(head + bytes + temporary);
    }
    sizes.w = (float *)(memory + head);
    sizes.bias = bias ? sizes.w + blocks * block * row : NULL;
    for (int64_t b = 0; b < blocks; b++) {
        int64_t count = sizes.k - b * block < block ? sizes.k - b * block : block;
        osp_constant_rows(weight, b * block, count, rows);
        pack_block(&sizes, block, (int)count, rows, sizes.w + b * block * row);
    }
    free(rows);
    if (bias) {
        osp_constant_rows(bias, 0, sizes.k, sizes.bias);
        memset(sizes.bias + sizes.k, 0, sizeof(float) * (size_t)(blocks * block - sizes.k));
    }
    *(struct tile_weights *)memory = sizes;
    state->data = memory;
    return OSP_OK;
}

void cpu_tile_release(struct osp_device *device, struct osp_node_state *state)
{
    free(state->data);
    state->data = NULL;
}

struct tile_split cpu_tile_split(int threads, int64_t tiles, int64_t blocks, int64_t most)
{
    if (tiles < 4 * threads && blocks >= threads)
        return (struct tile_split){1, threads};
    int64_t strips = (tiles + most - 1) / most;
    strips = (strips + threads - 1) / threads * threads;
    return (struct tile_split){strips < tiles ? strips : tiles, 1};
}
