/* Choosing, packing for and sharing out the register tile. */
#include <math.h>

#include "cpu/tile.h"

extern const struct tile_isa cpu_tile_portable, cpu_tile_avx2, cpu_tile_avx512;

const struct tile_isa *cpu_tile(const struct cpu_device *device)
{
    static const struct tile_isa *const tiles[CPU_ISA_COUNT] = {&cpu_tile_portable, &cpu_tile_avx2, &cpu_tile_avx512};
    return tiles[device->isa];
}

osp_status cpu_tile_blocks(const struct cpu_device *device, const struct osp_constant *weight, int block,
                           cpu_tile_pack_block *pack, const void *context)
{
    struct osp_shape shape = osp_constant_shape(weight);
    int64_t k = shape.dim[0], blocks = (k + block - 1) / block, row = k ? osp_shape_count(&shape) / k : 0;
    int64_t threads = blocks < device->threads ? blocks : device->threads;
    size_t bytes = sizeof(float) * (size_t)(threads * block * row);
    float *rows = cpu_alloc(bytes);
    if (!rows)
        return osp_fail(OSP_MEMORY, "cannot pack weights: %zu bytes needed", bytes);
#pragma omp parallel for schedule(static) num_threads((int)threads)
    for (int64_t part = 0; part < threads; part++) {
        float *own = rows + part * block * row;
        for (int64_t b = cpu_part(blocks, part, threads); b < cpu_part(blocks, part + 1, threads); b++) {
            int64_t count = k - b * block < block ? k - b * block : block;
            osp_constant_rows(weight, b * block, count, own);
            pack(context, b, (int)count, own);
        }
    }
    free(rows);
    return OSP_OK;
}

struct packing {
    struct tile_weights *weights;
    int block;
};

/* rows [count][C][R][S] of outputs into block b [R][S][C][block] */
static void pack_block(const void *context, int64_t b, int count, const float *rows)
{
    const struct packing *packing = context;
    int64_t c_count = packing->weights->c, taps = packing->weights->r * packing->weights->s, row = c_count * taps;
    int block = packing->block;
    float *out = packing->weights->w + b * block * row;
    bool finite = true;
    for (int64_t c = 0; c < c_count; c++)
        for (int64_t tap = 0; tap < taps; tap++)
            for (int k = 0; k < block; k++) {
                float w = k < count ? rows[k * row + c * taps + tap] : 0;
                out[(tap * c_count + c) * block + k] = w;
                finite = finite && isfinite(w);
            }
    if (!finite) {
#pragma omp atomic write
        packing->weights->finite = false;
    }
}

static struct tile_weights sizes_of(const struct osp_call *call)
{
    struct osp_shape shape = osp_constant_shape(call->constant[OSP_WEIGHT]);
    bool filter = shape.rank == 4;
    return (struct tile_weights){
        .k = shape.dim[0], .c = shape.dim[1], .r = filter ? shape.dim[2] : 1, .s = filter ? shape.dim[3] : 1, .finite = true};
}

void cpu_tile_place(const struct osp_call *call, const void *block, int64_t floats, struct tile_weights *weights)
{
    weights->w = (float *)((char *)block + TILE_HEAD);
    weights->bias = call->constant[OSP_BIAS] ? weights->w + floats : NULL;
}

osp_status cpu_tile_keep(const struct tile_weights *weights, void *block, bool own, struct osp_node_state *state)
{
    struct tile_weights *kept = malloc(sizeof *kept);
    if (!kept) {
        free(own ? block : NULL);
        return osp_fail(OSP_MEMORY, "cannot keep weights: %zu bytes needed", sizeof *kept);
    }
    *kept = *weights;
    kept->own = own ? block : NULL;
    *state = (struct osp_node_state){kept, block};
    return OSP_OK;
}

static int64_t outputs_of(const struct osp_device *device, const struct tile_weights *sizes)
{
    int block = cpu_tile(cpu_of(device))->block;
    return (sizes->k + block - 1) / block * block;
}

size_t cpu_tile_packed(const struct osp_device *device, const struct osp_call *call)
{
    const struct tile_weights sizes = sizes_of(call);
    int64_t outputs = outputs_of(device, &sizes), row = sizes.c * sizes.r * sizes.s;
    return TILE_HEAD + sizeof(float) * (size_t)(outputs * (row + (call->constant[OSP_BIAS] ? 1 : 0)));
}

osp_status cpu_tile_prepare(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    const struct osp_constant *weight = call->constant[OSP_WEIGHT], *bias = call->constant[OSP_BIAS];
    struct tile_weights sizes = sizes_of(call);
    int block = cpu_tile(cpu_of(device))->block;
    int64_t outputs = outputs_of(device, &sizes);
    size_t bytes = cpu_tile_packed(device, call);
    char *memory = cpu_alloc(bytes);
    if (!memory)
        return osp_fail(OSP_MEMORY, "cannot pack weights: %zu bytes needed", bytes);
    cpu_tile_place(call, memory, outputs * sizes.c * sizes.r * sizes.s, &sizes);
    osp_status status = cpu_tile_blocks(cpu_of(device), weight, block, pack_block, &(struct packing){&sizes, block});
    if (status) {
        free(memory);
        return status;
    }
    if (bias) {
        osp_constant_rows(bias, 0, sizes.k, sizes.bias);
        memset(sizes.bias + sizes.k, 0, sizeof(float) * (size_t)(outputs - sizes.k));
    }
    memset(memory, 0, TILE_HEAD);
    memory[0] = sizes.finite;
    return cpu_tile_keep(&sizes, memory, true, state);
}

osp_status cpu_tile_adopt(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    struct tile_weights sizes = sizes_of(call);
    cpu_tile_place(call, state->block, outputs_of(device, &sizes) * sizes.c * sizes.r * sizes.s, &sizes);
    sizes.finite = *(const unsigned char *)state->block == 1;
    return cpu_tile_keep(&sizes, (void *)state->block, false, state);
}

void cpu_tile_release(struct osp_device *device, struct osp_node_state *state)
{
    struct tile_weights *weights = state->data;
    free(weights ? weights->own : NULL);
    free(weights);
    *state = (struct osp_node_state){0};
}

struct tile_split cpu_tile_split(int threads, int64_t tiles, int64_t blocks, int64_t most)
{
    if (tiles < 4 * threads && blocks >= threads)
        return (struct tile_split){1, threads};
    int64_t strips = (tiles + most - 1) / most;
    strips = (strips + threads - 1) / threads * threads;
    return (struct tile_split){strips < tiles ? strips : tiles, 1};
}
