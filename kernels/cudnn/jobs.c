/* Jobs: what is made once for a shape and kept with the device, and the run that all rungs share. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cudnn/cudnn.h"

/* Plans and products that are kept. What a job says of itself, its refusal and its workspace, is kept for as long as the device,
 * so that a plan of the session stays true when it is made again. */
enum { MADE = 512, WORKSPACE_ALIGNED = 256 };

static void unmake(struct cudnn_part *part, struct cudnn_job *job)
{
    if (!job->made)
        return;
    if (job->key.form == CUDNN_FORM_MATMUL)
        cudnn_product_free(part, &job->product);
    else
        cudnn_plan_free(part, &job->plan);
    job->made = false;
    part->made--;
}

/* Drops the job that has been unused the longest. Its last run may still be under way. */
static osp_status make_room(struct cuda_device *device)
{
    struct cudnn_part *part = device->overlay;
    struct cudnn_job *oldest = NULL;
    if (part->made < MADE)
        return OSP_OK;
    for (struct cudnn_job *job = part->jobs; job; job = job->next)
        if (job->made && (!oldest || job->used < oldest->used))
            oldest = job;
    osp_status status = CUDA_DO(device, "the end of a plan's last run", cuStreamSynchronize, device->compute);
    if (!status)
        unmake(part, oldest);
    return status;
}

static void make(struct cuda_device *device, struct cudnn_job *job, size_t most_workspace)
{
    struct cudnn_part *part = device->overlay;
    osp_status status = cuda_enter(device);
    if (!status)
        status = make_room(device);
    if (!status)
        status = job->key.form == CUDNN_FORM_MATMUL
                     ? cudnn_product_make(device, &job->key, most_workspace, &job->product, &job->workspace)
                     : cudnn_plan_make(device, &job->key, most_workspace, &job->plan, &job->workspace);
    job->made = !status;
    part->made += !status;
    if (status)
        snprintf(job->refusal, sizeof job->refusal, "%s", osp_message());
}

struct cudnn_job *cudnn_job_for(const struct osp_device *opaque, const struct cudnn_key *key)
{
    struct cuda_device *device = (struct cuda_device *)opaque;
    struct cudnn_part *part = device->overlay;
    struct cudnn_job *job = part->jobs;
    while (job && memcmp(&job->key, key, sizeof *key) != 0)
        job = job->next;
    if (!job) {
        if (!(job = calloc(1, sizeof *job)))
            return NULL;
        job->key = *key;
        job->next = part->jobs;
        part->jobs = job;
        make(device, job, part->most_workspace);
    } else if (!job->made && !*job->refusal) {
        make(device, job, job->workspace);
    }
    job->used = ++part->clock;
    return job;
}

void cudnn_jobs_close(struct cuda_device *device)
{
    struct cudnn_part *part = device->overlay;
    for (struct cudnn_job *job = part->jobs, *next; job; job = next) {
        next = job->next;
        unmake(part, job);
        free(job);
    }
    part->jobs = NULL;
}

/* ---- For the rungs ---------------------------------------------------------------------------------- */

static const char no_memory[] = "no memory on the host to describe it to the library";

const char *cudnn_refuses(const struct osp_device *device, const struct cudnn_key *key)
{
    const struct cuda_limits *limits = cuda_limits_of(device);
    if (key->precision == OSP_PRECISION_TF32 && limits->major < 8)
        return "tf32 needs compute capability 8.0 or newer";
    const struct cudnn_job *job = cudnn_job_for(device, key);
    return !job ? no_memory : *job->refusal ? job->refusal : NULL;
}

/* Scratch is aligned to less than the libraries like. */
size_t cudnn_scratch(const struct osp_device *device, const struct cudnn_key *key)
{
    const struct cudnn_job *job = cudnn_job_for(device, key);
    return job && job->workspace ? job->workspace + WORKSPACE_ALIGNED : 0;
}

osp_status cudnn_run(struct osp_device *opaque, const struct cudnn_call *it, void *scratch)
{
    struct cuda_device *device = cuda_of(opaque);
    struct cudnn_operands operands = it->operands;
    const struct cudnn_job *job = cudnn_job_for(opaque, &it->key);
    if (!job || *job->refusal)
        return osp_fail(job ? OSP_UNAVAILABLE : OSP_MEMORY, "%s", job ? job->refusal : no_memory);
    operands.workspace = (void *)(((uintptr_t)scratch + WORKSPACE_ALIGNED - 1) / WORKSPACE_ALIGNED * WORKSPACE_ALIGNED);
    osp_status status = cuda_enter(device);
    if (!status)
        status = it->key.form == CUDNN_FORM_MATMUL ? cudnn_product_run(device, job, &operands)
                                                   : cudnn_plan_run(device, job, &operands);
    return status ? status : cudnn_finish_run(opaque, &it->finish);
}
