/* The loss of detectors: pictures are shared out among the threads, twice, with the sums of the batch between.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backend/cpu/cpu_internal.h"
#include "ops/detection_loss.h"

static size_t loss_scratch(const gn_graph *graph, const gn_node *node)
{
    gn_detection d;
    size_t state, work;
    if (gn_detection_of_node(graph, node, &d, NULL) != GN_OK || gn_detection_bytes(&d, &state, &work, NULL) != GN_OK)
        return 0;
    return state;
}

static gn_status prepare_loss(gn_exec *exec, gn_cpu_step *step, gn_error *err)
{
    size_t state;
    gn_detection *d = gn_calloc(1, sizeof *d);
    if (!d)
        return GN_ENOMEM;
    step->detail = d;
    GN_TRY(gn_detection_of_node(exec->graph, step->node, d, err));
    return gn_detection_bytes(d, &state, &step->thread_bytes, err);
}

typedef struct loss_job {
    const gn_exec *exec;
    gn_detection d;
    void *state;
} loss_job;

static void assign_picture(void *ctx, int task, int thread)
{
    const loss_job *job = ctx;
    gn_detection_assign(&job->d, task, job->state, gn_cpu_thread_scratch(job->exec, thread));
}

static void picture_loss(void *ctx, int task, int thread)
{
    const loss_job *job = ctx;
    gn_detection_picture_loss(&job->d, task, job->state, gn_cpu_thread_scratch(job->exec, thread));
}

static void run_loss(gn_exec *exec, const gn_cpu_step *step)
{
    loss_job job = {.exec = exec, .d = *(const gn_detection *)step->detail};
    job.state = gn_cpu_step_scratch(exec, step);
    job.d.truth = gn_cpu_in(exec, step, GN_DETECTION_LOSS_TRUTH);
    job.d.n_truth = gn_cpu_in(exec, step, GN_DETECTION_LOSS_N_TRUTH);
    job.d.weight = gn_cpu_in(exec, step, GN_DETECTION_LOSS_WEIGHT);
    job.d.class_weight = gn_cpu_in(exec, step, GN_DETECTION_LOSS_CLASS_WEIGHT);
    for (int m = 0; m < job.d.detector.n_maps; m++) {
        job.d.map[m].raw = gn_cpu_in(exec, step, GN_DETECTION_LOSS_MAPS + m);
        job.d.map[m].grad = gn_cpu_out(exec, step, GN_DETECTION_LOSS_GRADS + m);
    }
    gn_pool_run(exec->device->pool, (int)job.d.n, assign_picture, &job);
    gn_detection_combine(&job.d, job.state);
    gn_pool_run(exec->device->pool, (int)job.d.n, picture_loss, &job);
    double loss, parts[GN_DETECTION_PARTS];
    gn_detection_result(&job.d, job.state, &loss, parts);
    float *y = gn_cpu_out(exec, step, 0), *y_parts = gn_cpu_out(exec, step, 1);
    if (y)
        *y = (float)loss;
    for (int i = 0; i < GN_DETECTION_PARTS && y_parts; i++)
        y_parts[i] = (float)parts[i];
}

/* All but the numbers of truths is of the first operand's type: the shape rule has checked it. */
static const gn_cpu_op detection_loss_op = {.domain = "gannet",
                                            .name = "DetectionLoss",
                                            .step_scratch = loss_scratch,
                                            .prepare = prepare_loss,
                                            .run = run_loss,
                                            .types = GN_CPU_TYPES_F32_FIRST};

const gn_cpu_op *const gn_cpu_detection_ops[] = {&detection_loss_op, NULL};
