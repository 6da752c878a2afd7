/* Gemm, MatMul and Linear by one matrix on the CPU, as convolutions of one pixel: the three products that a linear layer and its gradient need
 * (A B^T, A B, A^T B) are the convolution's forward, gradient by data and gradient by weights.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "backend/cpu/cpu_internal.h"
#include "kernels/elementwise.h"

/* A B^T also for few rows of A and a large B that changes from run to run: there B is read where it lies, once, instead of being
 * packed, and the result comes out turned. */
typedef enum product { PRODUCT_ABT, PRODUCT_AB, PRODUCT_ATB, PRODUCT_ABT_FEW, PRODUCT_REFERENCE } product;

enum { FEW_ROWS = 64, LARGE_WEIGHTS = 1 << 20 };

static bool is_row_vector(const gn_shape *s, int64_t n)
{
    return gn_shape_count(s) == n && (s->rank == 1 || (s->rank == 2 && s->dim[0] == 1));
}

static bool is_linear(const gn_node *node)
{
    return strcmp(node->op->name, "Linear") == 0;
}

static bool is_turned(const gn_node *node)
{
    return gn_node_int(node, "turned", 0) != 0;
}

/* Linear: A's leading dimensions are rows; a turned weight is turned back while it is packed, which only constants allow. */
static product linear_product(const gn_graph *graph, const gn_node *node)
{
    return is_turned(node) && gn_cpu_value_changes(graph, node->in[1]) ? PRODUCT_REFERENCE : PRODUCT_ABT;
}

static product general_product(const gn_graph *graph, const gn_node *node)
{
    const gn_shape *a = gn_in_shape(graph, node, 0), *b = gn_in_shape(graph, node, 1), *c = gn_in_shape(graph, node, 2);
    const gn_shape *y = &gn_graph_value(graph, node->out[0])->shape;
    if (gn_in_dtype(graph, node, 0) != GN_DTYPE_F32 || a->rank < 2 || b->rank != 2)
        return PRODUCT_REFERENCE;
    if (is_linear(node))
        return linear_product(graph, node);
    bool ta = gn_node_int(node, "transA", 0) != 0, tb = gn_node_int(node, "transB", 0) != 0;
    if (gn_node_float(node, "alpha", 1.0f) != 1.0f || (c && gn_node_float(node, "beta", 1.0f) != 1.0f))
        return PRODUCT_REFERENCE;
    if (!ta && tb)
        return !c || is_row_vector(c, y->dim[1]) ? PRODUCT_ABT : PRODUCT_REFERENCE;
    if (c)
        return PRODUCT_REFERENCE;
    return ta ? (tb ? PRODUCT_REFERENCE : PRODUCT_ATB) : PRODUCT_AB;
}

static product product_of(const gn_graph *graph, const gn_node *node)
{
    const product kind = general_product(graph, node);
    if (kind != PRODUCT_ABT)
        return kind;
    const gn_shape *a = gn_in_shape(graph, node, 0), *b = gn_in_shape(graph, node, 1);
    const int64_t rows = gn_shape_count(a) / (a->dim[a->rank - 1] > 0 ? a->dim[a->rank - 1] : 1);
    const bool is_few = rows <= FEW_ROWS && gn_shape_count(b) >= LARGE_WEIGHTS;
    return is_few && gn_cpu_value_changes(graph, node->in[1]) ? PRODUCT_ABT_FEW : PRODUCT_ABT;
}

/* N pixels of C channels into K. */
static gn_conv pixels(int64_t N, int64_t C, int64_t K)
{
    return (gn_conv){.N = (int)N,
                     .H = 1,
                     .W = 1,
                     .C = (int)C,
                     .P = 1,
                     .Q = 1,
                     .K = (int)K,
                     .R = 1,
                     .S = 1,
                     .stride_h = 1,
                     .stride_w = 1,
                     .dil_h = 1,
                     .dil_w = 1,
                     .groups = 1};
}

static gn_conv sizes(const gn_graph *graph, const gn_node *node, product kind)
{
    const gn_shape *a = gn_in_shape(graph, node, 0), *b = gn_in_shape(graph, node, 1);
    const int64_t width = a->rank > 0 ? a->dim[a->rank - 1] : 1, rows = width > 0 ? gn_shape_count(a) / width : 0;
    switch (kind) {
    case PRODUCT_ABT:
        return pixels(rows, width, is_turned(node) ? b->dim[1] : b->dim[0]);
    case PRODUCT_AB:
    case PRODUCT_ATB:
        return pixels(rows, b->dim[1], width);
    case PRODUCT_ABT_FEW: /* the rows of B are the pixels, those of A the filters */
        return pixels(b->dim[0], width, rows);
    case PRODUCT_REFERENCE:
        break;
    }
    return pixels(1, 1, 1);
}

static bool packs_each_run(const gn_graph *graph, const gn_node *node)
{
    return gn_cpu_value_changes(graph, node->in[1]) || (gn_has_in(node, 2) && gn_cpu_value_changes(graph, node->in[2]));
}

/* Step scratch of a product with few rows: packed A, then the result turned [N,K] (of the kernel's problem). */
static size_t turned_offset(const gn_conv *p)
{
    return (gn_conv_pack_bytes(p) + GN_ALIGN_BYTES - 1) / GN_ALIGN_BYTES * GN_ALIGN_BYTES;
}

static size_t scratch_bytes(const gn_graph *graph, const gn_node *node)
{
    product kind = product_of(graph, node);
    gn_conv p = sizes(graph, node, kind);
    switch (kind) {
    case PRODUCT_ABT:
        return packs_each_run(graph, node) ? gn_conv_pack_bytes(&p) : 0;
    case PRODUCT_AB:
        return packs_each_run(graph, node) ? gn_conv_bwd_data_pack_bytes(&p) : 0;
    case PRODUCT_ATB:
        return gn_conv_bwd_weight_partial_bytes(&p);
    case PRODUCT_ABT_FEW:
        return turned_offset(&p) + (size_t)p.N * (size_t)p.K * sizeof(float);
    case PRODUCT_REFERENCE:
        break;
    }
    return 0;
}

typedef struct linear_job {
    const gn_exec *exec;
    const gn_conv *p;
    const float *w, *bias;
    void *packed;
    gn_conv_fwd forward;
    gn_conv_bwd_data data;
    gn_conv_bwd_weight weight;
} linear_job;

static void pack_forward_task(void *ctx, int task, int thread)
{
    const linear_job *j = ctx;
    (void)thread;
    gn_conv_pack(j->p, j->w, j->bias, NULL, j->packed, task, task + 1);
}

static void pack_data_task(void *ctx, int task, int thread)
{
    const linear_job *j = ctx;
    (void)thread;
    gn_conv_bwd_data_pack(j->p, j->w, j->packed, task, task + 1);
}

static void pack(const gn_exec *exec, const gn_cpu_step *step, product kind, const float *w, void *packed)
{
    linear_job job = {.p = &step->p.conv, .w = w, .bias = gn_cpu_in(exec, step, 2), .packed = packed};
    if (kind == PRODUCT_ABT)
        gn_pool_run(exec->device->pool, gn_conv_pack_panels(job.p), pack_forward_task, &job);
    else
        gn_pool_run(exec->device->pool, gn_conv_bwd_data_pack_panels(job.p), pack_data_task, &job);
}

/* Weights that stay as they are. */
static gn_status pack_once(gn_exec *exec, gn_cpu_step *step, product kind)
{
    const float *w = gn_cpu_in(exec, step, 1);
    float *turned = NULL;
    const size_t C = (size_t)step->p.conv.C, K = (size_t)step->p.conv.K;
    step->packed = gn_alloc(step->packed_bytes);
    if (!step->packed)
        return GN_ENOMEM;
    if (is_turned(step->node)) {
        turned = gn_alloc(C * K * sizeof *turned);
        if (!turned)
            return GN_ENOMEM;
        gn_f32_chw_to_hwc(w, turned, C, K);
    }
    pack(exec, step, kind, turned ? turned : w, step->packed);
    gn_free(turned);
    return GN_OK;
}

/* What is not a forward convolution has its kernels to itself. */
static bool is_forward(const gn_cpu_step *step)
{
    return step->product == PRODUCT_ABT || step->product == PRODUCT_ABT_FEW;
}

static gn_status prepare(gn_exec *exec, gn_cpu_step *step, gn_error *err)
{
    product kind = product_of(exec->graph, step->node);
    step->p.conv = sizes(exec->graph, step->node, kind);
    const gn_conv *p = &step->p.conv;
    step->product = (int)kind;
    if (kind == PRODUCT_REFERENCE)
        return GN_OK;
    if (is_forward(step))
        step->p.conv.choice = gn_conv_fwd_chosen(p, exec->device->n_threads);
    if (kind == PRODUCT_AB)
        step->p.conv.choice = gn_conv_bwd_data_chosen(p, exec->device->n_threads);
    step->thread_bytes = kind == PRODUCT_ABT || kind == PRODUCT_ABT_FEW ? gn_conv_fwd_scratch_bytes(p)
                         : kind == PRODUCT_AB                           ? gn_conv_bwd_data_scratch_bytes(p)
                                                                        : gn_conv_bwd_weight_scratch_bytes(p);
    if (kind != PRODUCT_ABT && kind != PRODUCT_AB)
        return GN_OK;
    step->packs_each_run = packs_each_run(exec->graph, step->node);
    if (step->packs_each_run)
        return GN_OK;
    step->packed_bytes = kind == PRODUCT_ABT ? gn_conv_pack_bytes(p) : gn_conv_bwd_data_pack_bytes(p);
    const gn_status status = pack_once(exec, step, kind);
    if (status != GN_OK)
        gn_fail(err, status, "node %s: out of memory for packed weights (%zu bytes)", step->node->name,
                step->packed_bytes);
    return status;
}

static void linear_kernel(const gn_cpu_step *step, gn_step_kernel *kernel_out)
{
    if (is_forward(step))
        gn_cpu_conv_kernel(step, kernel_out);
    else if (step->product == PRODUCT_REFERENCE)
        *kernel_out = (gn_step_kernel){"reference", 1};
    else
        *kernel_out = (gn_step_kernel){"product", 1};
}

static int linear_choices(const gn_exec *exec, const gn_cpu_step *step, gn_step_kernel *choices, int max)
{
    return is_forward(step) && step->packed ? gn_cpu_conv_choices(exec, step, choices, max) : 0;
}

/* All choices of one pixel per row pack alike. */
static gn_status choose_linear(gn_exec *exec, gn_cpu_step *step, const char *name, gn_error *err)
{
    gn_conv_choice choice = {0};
    if (!is_forward(step) || !step->packed)
        return gn_fail(err, GN_EINVAL, "node %s has no kernels to choose from, '%s' was wanted", step->node->name,
                       name);
    GN_TRY(gn_cpu_conv_check_choice(exec, step, name, &choice, err));
    GN_ASSERT(gn_conv_fwd_packs_alike(&step->p.conv, choice, step->p.conv.choice));
    step->p.conv.choice = choice;
    step->thread_bytes = gn_conv_fwd_scratch_bytes(&step->p.conv);
    return GN_OK;
}

static void forward_task(void *ctx, int task, int thread)
{
    const linear_job *j = ctx;
    gn_conv_fwd_task(&j->forward, task, gn_cpu_thread_scratch(j->exec, thread));
}

static void data_task(void *ctx, int task, int thread)
{
    const linear_job *j = ctx;
    gn_conv_bwd_data_task(&j->data, task, gn_cpu_thread_scratch(j->exec, thread));
}

static void weight_task(void *ctx, int task, int thread)
{
    const linear_job *j = ctx;
    gn_conv_bwd_weight_task(&j->weight, task, gn_cpu_thread_scratch(j->exec, thread));
}

static void weight_reduce_task(void *ctx, int task, int thread)
{
    const linear_job *j = ctx;
    (void)thread;
    gn_conv_bwd_weight_reduce_task(&j->weight, task);
}

/* ---- few rows ---- */

typedef struct turn_job {
    const float *src, *bias; /* src: [columns, rows] */
    float *dst;              /* [rows, columns] */
    size_t rows, columns;
    gn_clamp clamp;
} turn_job;

/* Columns begin..end-1 of the result, and the bias with them. */
static void turn_columns(void *ctx, size_t begin, size_t end)
{
    const turn_job *j = ctx;
    for (size_t r = 0; r < j->rows; r++) {
        float *dst = j->dst + r * j->columns;
        for (size_t c = begin; c < end; c++)
            dst[c] = j->src[c * j->rows + r] + (j->bias ? j->bias[c] : 0.0f);
        gn_f32_clamp(dst + begin, dst + begin, end - begin, j->clamp);
    }
}

/* Y^T = B A^T: the rows of B pass the kernel as pixels, A is packed. */
static void run_abt_few(gn_exec *exec, const gn_cpu_step *step)
{
    const gn_conv *p = &step->p.conv;
    unsigned char *scratch = gn_cpu_step_scratch(exec, step);
    float *turned = (float *)(void *)(scratch + turned_offset(p));
    linear_job job = {.exec = exec, .p = p, .w = gn_cpu_in(exec, step, 0), .packed = scratch};
    gn_pool_run(exec->device->pool, gn_conv_pack_panels(p), pack_forward_task, &job);
    job.forward = (gn_conv_fwd){
        *p, gn_cpu_in(exec, step, 1), scratch, NULL, turned, {-INFINITY, INFINITY}, exec->device->zeros, {0}};
    gn_pool_run(exec->device->pool, gn_conv_fwd_tasks(p), forward_task, &job);
    turn_job turn = {turned,     gn_cpu_in(exec, step, 2), gn_cpu_out(exec, step, 0), (size_t)p->K, (size_t)p->N,
                     step->clamp};
    gn_cpu_for_range(exec, turn.columns, GN_CPU_CHUNK / turn.rows + 1, turn_columns, &turn);
}

static void run(gn_exec *exec, const gn_cpu_step *step)
{
    product kind = (product)step->product;
    const gn_conv *p = &step->p.conv;
    gn_pool *pool = exec->device->pool;
    const float *a = gn_cpu_in(exec, step, 0), *b = gn_cpu_in(exec, step, 1), *zeros = exec->device->zeros;
    float *y = gn_cpu_out(exec, step, 0);
    linear_job job = {.exec = exec};
    void *packed = step->packs_each_run ? gn_cpu_step_scratch(exec, step) : step->packed;
    if (step->packs_each_run)
        pack(exec, step, kind, b, packed);
    switch (kind) {
    case PRODUCT_ABT:
        job.forward = (gn_conv_fwd){*p, a, packed, NULL, y, step->clamp, zeros, {0}};
        gn_pool_run(pool, gn_conv_fwd_tasks(p), forward_task, &job);
        break;
    case PRODUCT_AB:
        job.data = (gn_conv_bwd_data){*p, a, packed, y, false, zeros};
        gn_pool_run(pool, gn_conv_bwd_data_tasks(p), data_task, &job);
        break;
    case PRODUCT_ATB:
        job.weight = (gn_conv_bwd_weight){*p, b, a, y, NULL, gn_cpu_step_scratch(exec, step), zeros, false};
        gn_pool_run(pool, gn_conv_bwd_weight_tasks(p), weight_task, &job);
        gn_pool_run(pool, gn_conv_bwd_weight_reduce_tasks(p), weight_reduce_task, &job);
        break;
    case PRODUCT_ABT_FEW:
        run_abt_few(exec, step);
        break;
    case PRODUCT_REFERENCE:
        gn_cpu_reference_op.run(exec, step);
        break;
    }
}

static const gn_cpu_op gemm_op = {.domain = "",
                                  .name = "Gemm",
                                  .step_scratch = scratch_bytes,
                                  .prepare = prepare,
                                  .run = run,
                                  .kernel = linear_kernel,
                                  .choices = linear_choices,
                                  .choose = choose_linear};
static const gn_cpu_op matmul_op = {.domain = "",
                                    .name = "MatMul",
                                    .step_scratch = scratch_bytes,
                                    .prepare = prepare,
                                    .run = run,
                                    .kernel = linear_kernel,
                                    .choices = linear_choices,
                                    .choose = choose_linear};
static const gn_cpu_op linear_op = {.domain = "gannet",
                                    .name = "Linear",
                                    .step_scratch = scratch_bytes,
                                    .prepare = prepare,
                                    .run = run,
                                    .kernel = linear_kernel,
                                    .choices = linear_choices,
                                    .choose = choose_linear};

const gn_cpu_op *const gn_cpu_linear_ops[] = {&gemm_op, &matmul_op, &linear_op, NULL};
