/* The CPU backend: opens devices, compiles graphs into prepared steps, and runs them.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "backend/cpu/cpu_internal.h"
#include "base/clock.h"
#include "graph/passes.h"

/* ---- access for handlers ---- */

void *gn_cpu_ptr(const gn_exec *exec, int value)
{
    if (value < 0)
        return NULL;
    int root = exec->root[value];
    const gn_plan_value *pv = &exec->plan->values[root];
    switch (pv->place) {
    case GN_PLACE_ARENA:
        return exec->device->arena + pv->offset + exec->plan->values[value].shift;
    case GN_PLACE_INPUT: {
        union {
            const void *from;
            void *to;
        } p = {.from = exec->bound[root]};
        return p.to;
    }
    case GN_PLACE_DATA:
        return gn_graph_value(exec->graph, root)->data->data;
    case GN_PLACE_STATE:
    case GN_PLACE_NONE:
        break;
    }
    return NULL;
}

void *gn_cpu_in(const gn_exec *exec, const gn_cpu_step *step, int i)
{
    return i < step->node->n_in ? gn_cpu_ptr(exec, step->node->in[i]) : NULL;
}

void *gn_cpu_out(const gn_exec *exec, const gn_cpu_step *step, int i)
{
    return i < step->node->n_out ? gn_cpu_ptr(exec, step->node->out[i]) : NULL;
}

const gn_shape *gn_cpu_shape(const gn_exec *exec, int value)
{
    return &gn_graph_value(exec->graph, value)->shape;
}

int gn_cpu_stride(const gn_exec *exec, int value)
{
    return value < 0 ? 0 : exec->plan->values[value].stride;
}

int64_t gn_cpu_elements(const gn_exec *exec, int value)
{
    return gn_shape_count(gn_cpu_shape(exec, value));
}

void *gn_cpu_step_scratch(const gn_exec *exec, const gn_cpu_step *step)
{
    return exec->device->arena + step->scratch_offset;
}

void *gn_cpu_thread_scratch(const gn_exec *exec, int thread)
{
    return exec->device->scratch + (size_t)thread * exec->device->scratch_bytes;
}

bool gn_cpu_value_changes(const gn_graph *graph, int value)
{
    const gn_value *v = gn_graph_value(graph, value);
    if (v->kind != GN_VALUE_STATE)
        return v->kind != GN_VALUE_CONST;
    for (int i = 0; i < gn_graph_update_count(graph); i++) {
        int state, updated;
        gn_graph_update(graph, i, &state, &updated);
        if (state == value)
            return true;
    }
    return false;
}

bool gn_cpu_is_fixed(const gn_exec *exec, int value)
{
    if (value < 0)
        return true;
    gn_value_kind kind = gn_graph_value(exec->graph, value)->kind;
    return kind == GN_VALUE_CONST || (kind == GN_VALUE_STATE && !exec->changes[value]);
}

gn_shape gn_cpu_permuted(const gn_exec *exec, int value, bool is_nhwc)
{
    gn_shape s = *gn_cpu_shape(exec, value);
    if (!is_nhwc || s.rank > 4)
        return s;
    gn_shape four = gn_shape_of(4, (const int64_t[]){1, 1, 1, 1});
    for (int i = 0; i < s.rank; i++)
        four.dim[4 - s.rank + i] = s.dim[i];
    return gn_shape_of(4, (const int64_t[]){four.dim[0], four.dim[2], four.dim[3], four.dim[1]});
}

gn_shape gn_cpu_physical(const gn_exec *exec, int value)
{
    return gn_cpu_permuted(exec, value, exec->plan->values[value].layout == GN_LAYOUT_NHWC);
}

gn_clamp gn_cpu_clamp_of(const gn_node *node)
{
    return (gn_clamp){gn_node_float(node, "lo", -INFINITY), gn_node_float(node, "hi", INFINITY)};
}

typedef struct range_job {
    gn_cpu_range_fn fn;
    void *ctx;
    size_t n, tasks;
} range_job;

/* Where task `task` begins: tasks as even as possible, so that two threads end together; long ones in whole cache lines. */
static size_t cut(const range_job *job, size_t task)
{
    if (task >= job->tasks)
        return job->n;
    const size_t at = job->n / job->tasks * task + job->n % job->tasks * task / job->tasks;
    return job->n / job->tasks >= 1024 ? at / 16 * 16 : at;
}

static void range_task(void *ctx, int task, int thread)
{
    const range_job *job = ctx;
    (void)thread;
    const size_t begin = cut(job, (size_t)task), end = cut(job, (size_t)task + 1);
    if (begin < end)
        job->fn(job->ctx, begin, end);
}

void gn_cpu_for_range(const gn_exec *exec, size_t n, size_t chunk, gn_cpu_range_fn fn, void *ctx)
{
    size_t tasks = (n + chunk - 1) / chunk;
    tasks += tasks > 2 && tasks < n ? tasks % 2 : 0;
    range_job job = {fn, ctx, n, tasks};
    gn_pool_run(exec->device->pool, (int)tasks, range_task, &job);
}

static bool takes_types(const gn_graph *graph, const gn_node *node, gn_cpu_types types)
{
    for (int k = 0; k < node->n_in && types != GN_CPU_TYPES_ANY; k++) {
        if (k > 0 && types == GN_CPU_TYPES_F32_FIRST)
            break;
        gn_dtype expected = types == GN_CPU_TYPES_ALIKE ? gn_in_dtype(graph, node, 0) : GN_DTYPE_F32;
        if (gn_has_in(node, k) && gn_in_dtype(graph, node, k) != expected)
            return false;
    }
    return true;
}

static bool is_empty(const gn_graph *graph, int value)
{
    return value >= 0 && gn_shape_count(&gn_graph_value(graph, value)->shape) == 0;
}

/* Kernels divide by sizes: nodes that work on something empty or make it are left to the references, which loop.  Other inputs may be
 * empty lists, such as the region of a Resize. */
static bool has_empty_operand(const gn_graph *graph, const gn_node *node)
{
    bool found = node->n_in > 0 && is_empty(graph, node->in[0]);
    for (int k = 0; k < node->n_out; k++)
        found = found || is_empty(graph, node->out[k]);
    return found;
}

static bool takes_node(const gn_cpu_op *op, const gn_graph *graph, const gn_node *node)
{
    return takes_types(graph, node, op->types) && (!op->takes || op->takes(graph, node)) &&
           !has_empty_operand(graph, node);
}

const gn_cpu_op *gn_cpu_op_named(const char *domain, const char *name)
{
    static const gn_cpu_op *const *const lists[] = {
        gn_cpu_conv_ops,     gn_cpu_linear_ops, gn_cpu_norm_ops,       gn_cpu_pool_ops,   gn_cpu_elementwise_ops,
        gn_cpu_move_ops,     gn_cpu_map_ops,    gn_cpu_broadcast_ops,  gn_cpu_reduce_ops, gn_cpu_optimizer_ops,
        gn_cpu_strided_ops,  gn_cpu_resize_ops, gn_cpu_transposed_ops, gn_cpu_select_ops, gn_cpu_quantize_ops,
        gn_cpu_instance_ops, gn_cpu_detect_ops, gn_cpu_detection_ops,  gn_cpu_dropout_ops};
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++)
        for (const gn_cpu_op *const *op = lists[l]; *op; op++)
            if (strcmp((*op)->name, name) == 0 && strcmp((*op)->domain, domain) == 0)
                return *op;
    return NULL;
}

const gn_cpu_op *gn_cpu_op_find(const gn_graph *graph, const gn_node *node)
{
    const gn_cpu_op *op = gn_cpu_op_named(node->op->domain, node->op->name);
    return op && takes_node(op, graph, node) ? op : &gn_cpu_reference_op;
}

/* ---- device ---- */

static void close_device(gn_device **device)
{
    if (!device || !*device)
        return;
    gn_pool_destroy(&(*device)->pool);
    gn_free((*device)->arena);
    gn_free((*device)->scratch);
    gn_free((*device)->zeros);
    gn_free(*device);
    *device = NULL;
}

static gn_status open_device(int n_threads, gn_device **device_out, gn_error *err)
{
    gn_device *device = gn_calloc(1, sizeof *device);
    if (!device)
        return gn_fail(err, GN_ENOMEM, "opening the cpu: out of memory");
    device->n_threads = n_threads;
    gn_status status = gn_pool_create(n_threads, &device->pool);
    if (status != GN_OK) {
        gn_fail(err, status, "opening the cpu with %d threads: %s (1 to 256 are possible)", n_threads,
                gn_status_sentence(status));
        close_device(&device);
        return status;
    }
    *device_out = device;
    return GN_OK;
}

static int device_threads(const gn_device *device)
{
    return device->n_threads;
}

static gn_status enlarge(unsigned char **block, size_t *have, size_t want, size_t count)
{
    if (want <= *have && *block)
        return GN_OK;
    size_t bytes;
    if (!gn_mul_size(want, count, &bytes))
        return GN_ENOMEM;
    unsigned char *bigger = gn_alloc(bytes);
    if (!bigger)
        return GN_ENOMEM;
    gn_free(*block);
    *block = bigger;
    *have = want;
    return GN_OK;
}

static gn_status grow_zeros(gn_device *device, size_t n)
{
    if (n <= device->n_zeros)
        return GN_OK;
    float *zeros = gn_calloc(n, sizeof *zeros);
    if (!zeros)
        return GN_ENOMEM;
    gn_free(device->zeros);
    device->zeros = zeros;
    device->n_zeros = n;
    return GN_OK;
}

/* ---- compile ---- */

static size_t step_scratch_bytes(void *ctx, const gn_graph *graph, const gn_node *node)
{
    (void)ctx;
    const gn_cpu_op *op = gn_cpu_op_find(graph, node);
    return op->step_scratch ? op->step_scratch(graph, node) : 0;
}

static bool takes_plain(void *ctx, const gn_graph *graph, const gn_node *node, int i)
{
    (void)ctx;
    const gn_cpu_op *op = gn_cpu_op_find(graph, node);
    return op->takes_plain && op->takes_plain(graph, node, i);
}

static bool takes_slice(void *ctx, const gn_graph *graph, const gn_node *node, int i, bool is_output)
{
    (void)ctx;
    const gn_cpu_op *op = gn_cpu_op_find(graph, node);
    const uint32_t operands = is_output ? op->slices_out : op->slices_in;
    return operands == GN_CPU_ALL_OPERANDS || (i < 32 && (operands >> i & 1u));
}

static void destroy_exec(gn_exec **exec)
{
    if (!exec || !*exec)
        return;
    gn_exec *e = *exec;
    for (int i = 0; e->steps && e->plan && i < e->plan->n_steps; i++) {
        gn_free(e->steps[i].packed);
        gn_free(e->steps[i].detail);
    }
    gn_free(e->steps);
    gn_free(e->bound);
    gn_free(e->root);
    gn_free(e->changes);
    gn_plan_destroy(&e->plan);
    gn_free(e);
    *exec = NULL;
}

/* Kernels hold sizes in ints. */
static gn_status check_sizes(const gn_graph *graph, gn_error *err)
{
    for (int v = 0; v < gn_graph_value_count(graph); v++) {
        const gn_value *value = gn_graph_value(graph, v);
        int64_t count = gn_shape_count(&value->shape);
        bool is_live = value->kind != GN_VALUE_TEMP || value->producer >= 0;
        if (!is_live || count <= INT32_MAX)
            continue;
        char shape[128];
        gn_shape_format(&value->shape, shape);
        return gn_fail(err, GN_ELIMIT,
                       "compiling a graph: value %s has the shape %s, at most 2^31-1 elements are possible",
                       value->name, shape);
    }
    return GN_OK;
}

static gn_status resolve_values(gn_exec *exec)
{
    size_t n = (size_t)exec->plan->n_values;
    exec->bound = gn_calloc(n + 1, sizeof *exec->bound);
    exec->root = gn_calloc(n + 1, sizeof *exec->root);
    exec->changes = gn_calloc(n + 1, sizeof *exec->changes);
    if (!exec->bound || !exec->root || !exec->changes)
        return GN_ENOMEM;
    for (size_t v = 0; v < n; v++) {
        int root = (int)v;
        while (exec->plan->values[root].of >= 0)
            root = exec->plan->values[root].of;
        exec->root[v] = root;
    }
    for (int i = 0; i < gn_graph_update_count(exec->graph); i++) {
        int state, value;
        gn_graph_update(exec->graph, i, &state, &value);
        exec->changes[state] = true;
    }
    return GN_OK;
}

static gn_status prepare_steps(gn_exec *exec, gn_error *err)
{
    gn_device *device = exec->device;
    size_t thread_bytes = 64, widest = 64;
    exec->steps = gn_calloc((size_t)exec->plan->n_steps + 1, sizeof *exec->steps);
    if (!exec->steps)
        return GN_ENOMEM;
    for (int i = 0; i < exec->plan->n_steps; i++) {
        gn_cpu_step *step = &exec->steps[i];
        step->node = gn_graph_node(exec->graph, exec->plan->steps[i].node);
        step->op = gn_cpu_op_find(exec->graph, step->node);
        step->scratch_offset = exec->plan->steps[i].scratch_offset;
        step->clamp = gn_cpu_clamp_of(step->node);
        if (step->op->prepare)
            GN_TRY(step->op->prepare(exec, step, err));
        if (step->thread_bytes > thread_bytes)
            thread_bytes = step->thread_bytes;
        for (int k = 0; k < step->node->n_in; k++) {
            const gn_shape *s = gn_in_shape(exec->graph, step->node, k);
            for (int d = 0; s && gn_shape_count(s) > 0 && d < s->rank && d < 2; d++)
                if ((size_t)s->dim[d] > widest)
                    widest = (size_t)s->dim[d];
        }
    }
    thread_bytes = (thread_bytes + GN_ALIGN_BYTES - 1) / GN_ALIGN_BYTES * GN_ALIGN_BYTES;
    GN_TRY(enlarge(&device->scratch, &device->scratch_bytes, thread_bytes, (size_t)device->n_threads));
    GN_TRY(grow_zeros(device, widest));
    return enlarge(&device->arena, &device->arena_bytes, exec->plan->arena_bytes + GN_PAD_BYTES, 1);
}

static gn_status compile(gn_device *device, gn_graph *graph, gn_exec **exec_out, gn_error *err)
{
    gn_exec *exec = gn_calloc(1, sizeof *exec);
    if (!exec)
        return gn_fail(err, GN_ENOMEM, "compiling a graph: out of memory");
    exec->device = device;
    exec->graph = graph;
    const gn_plan_target target = {step_scratch_bytes, takes_plain, NULL, takes_slice};
    gn_status status = check_sizes(graph, err);
    if (status == GN_OK)
        status = gn_pass_lower(graph, err);
    if (status == GN_OK)
        status = gn_plan_create(graph, &target, &exec->plan, err);
    if (status == GN_OK)
        status = resolve_values(exec);
    if (status == GN_OK)
        status = prepare_steps(exec, err);
    if (status != GN_OK) {
        if (status == GN_ENOMEM)
            gn_fail(err, GN_ENOMEM, "compiling a graph: out of memory (an arena of %zu bytes is needed)",
                    exec->plan ? exec->plan->arena_bytes : (size_t)0);
        destroy_exec(&exec);
        return status;
    }
    *exec_out = exec;
    return GN_OK;
}

/* ---- run ---- */

static gn_status bind(gn_exec *exec, int value, const void *data)
{
    if (value < 0 || value >= exec->plan->n_values || gn_graph_value(exec->graph, value)->kind != GN_VALUE_INPUT)
        return GN_EINVAL;
    exec->bound[value] = data;
    return GN_OK;
}

static gn_status inputs_are_bound(const gn_exec *exec, gn_error *err)
{
    for (int i = 0; i < gn_graph_input_count(exec->graph); i++) {
        int value = gn_graph_input(exec->graph, i);
        if (!exec->bound[value])
            return gn_fail(err, GN_EINVAL, "running a graph: input %s is not bound",
                           gn_graph_value(exec->graph, value)->name);
    }
    return GN_OK;
}

/* References may meet a type that they do not know. */
static gn_status run_step(gn_exec *exec, const gn_cpu_step *step, gn_error *err)
{
    exec->status = GN_OK;
    step->op->run(exec, step);
    if (exec->status == GN_OK)
        return GN_OK;
    return gn_fail(err, exec->status, "node %s (%s) cannot run on the cpu: %s", step->node->name, step->node->op->name,
                   gn_status_sentence(exec->status));
}

static gn_status run(gn_exec *exec, gn_error *err)
{
    GN_TRY(inputs_are_bound(exec, err));
    for (int i = 0; i < exec->plan->n_steps; i++)
        GN_TRY(run_step(exec, &exec->steps[i], err));
    return GN_OK;
}

static gn_status run_timed(gn_exec *exec, int64_t *step_ns, gn_error *err)
{
    GN_TRY(inputs_are_bound(exec, err));
    for (int i = 0; i < exec->plan->n_steps; i++) {
        int64_t begin = gn_now_ns();
        GN_TRY(run_step(exec, &exec->steps[i], err));
        step_ns[i] = gn_now_ns() - begin;
    }
    return GN_OK;
}

static const void *output(const gn_exec *exec, int i)
{
    return gn_cpu_ptr(exec, gn_graph_output(exec->graph, i));
}

static const gn_plan *plan_of(const gn_exec *exec)
{
    return exec->plan;
}

static size_t memory_bytes(const gn_exec *exec)
{
    size_t bytes = exec->plan->arena_bytes + exec->device->scratch_bytes * (size_t)exec->device->n_threads;
    for (int i = 0; i < exec->plan->n_steps; i++)
        bytes += exec->steps[i].packed_bytes;
    return bytes;
}

/* A packed step holds its filter (operand 1), bias (2) and factors (4). */
static bool reads_data(const gn_exec *exec, int value)
{
    for (int i = 0; i < gn_graph_output_count(exec->graph); i++)
        if (gn_graph_output(exec->graph, i) == value)
            return true;
    for (int i = 0; i < exec->plan->n_steps; i++) {
        const gn_cpu_step *step = &exec->steps[i];
        for (int k = 0; k < step->node->n_in; k++)
            if (step->node->in[k] == value && !(step->packed && (k == 1 || k == 2 || k == 4)))
                return true;
    }
    return false;
}

/* ---- kernels of steps ---- */

static void kernel(const gn_exec *exec, int i, gn_step_kernel *kernel_out)
{
    const gn_cpu_step *step = &exec->steps[i];
    *kernel_out = (gn_step_kernel){.work = 1};
    if (step->op == &gn_cpu_reference_op)
        snprintf(kernel_out->name, sizeof kernel_out->name, "reference");
    else if (step->op->kernel)
        step->op->kernel(step, kernel_out);
}

static int choices(const gn_exec *exec, int i, gn_step_kernel *list, int max)
{
    const gn_cpu_step *step = &exec->steps[i];
    return step->op->choices ? step->op->choices(exec, step, list, max) : 0;
}

static gn_status choose(gn_exec *exec, int i, const char *name, gn_error *err)
{
    gn_cpu_step *step = &exec->steps[i];
    gn_device *device = exec->device;
    if (!step->op->choose)
        return gn_fail(err, GN_EINVAL, "node %s (%s) has no kernels to choose from, '%s' was wanted", step->node->name,
                       step->node->op->name, name);
    GN_TRY(step->op->choose(exec, step, name, err));
    const size_t bytes = (step->thread_bytes + GN_ALIGN_BYTES - 1) / GN_ALIGN_BYTES * GN_ALIGN_BYTES;
    if (enlarge(&device->scratch, &device->scratch_bytes, bytes, (size_t)device->n_threads) != GN_OK)
        return gn_fail(err, GN_ENOMEM, "node %s: out of memory for kernel %s", step->node->name, name);
    return GN_OK;
}

const gn_backend gn_backend_cpu = {
    .name = "cpu",
    .open = open_device,
    .close = close_device,
    .threads = device_threads,
    .compile = compile,
    .destroy = destroy_exec,
    .bind = bind,
    .run = run,
    .output = output,
    .plan = plan_of,
    .memory_bytes = memory_bytes,
    .run_timed = run_timed,
    .reads_data = reads_data,
    .kernel = kernel,
    .choices = choices,
    .choose = choose,
    .peak = gn_cpu_measure_peak,
};
