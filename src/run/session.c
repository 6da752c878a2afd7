/* Opening a model, planning it per batch size, running it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "run/session.h"

#include <stdio.h>
#include <string.h>

#include "base/pool.h"
#include "formats/onnx/onnx_format.h"
#include "formats/onnx/onnx_reader.h"
#include "graph/passes.h"
#include "run/detector_tail.h"
#include "run/session_detect.h"

#define MAX_THREADS 256

/* ---- opening ---- */

/* Sets every free dimension of the input: the batch, and the picture's size. */
static gn_status bind_input(gn_graph *graph, const gn_model_info *info, int n, gn_error *err)
{
    int input = gn_graph_input(graph, 0);
    gn_shape shape = gn_graph_value(graph, input)->shape;
    if (shape.rank < 1)
        return gn_fail(err, GN_EUNSUPPORTED, "the model's input '%s' has no batch dimension",
                       gn_graph_value(graph, input)->name);
    shape.dim[0] = n;
    if (shape.rank == 4) {
        shape.dim[2] = info->imgsz_h;
        shape.dim[3] = info->imgsz_w;
    }
    if (!gn_shape_known(&shape))
        return gn_fail(err, GN_ESHAPE, "the model's input '%s' has a dimension that nothing gives a size",
                       gn_graph_value(graph, input)->name);
    return gn_graph_set_input_shape(graph, input, &shape);
}

static gn_status check_model(const gn_graph *graph, gn_error *err)
{
    if (gn_graph_input_count(graph) != 1 || gn_graph_value(graph, gn_graph_input(graph, 0))->dtype != GN_DTYPE_F32)
        return gn_fail(err, GN_EUNSUPPORTED, "the model has %d inputs; one of f32 was expected",
                       gn_graph_input_count(graph));
    for (int i = 0; i < gn_graph_output_count(graph); i++)
        if (gn_graph_value(graph, gn_graph_output(graph, i))->kind == GN_VALUE_INPUT)
            return gn_fail(err, GN_EUNSUPPORTED, "the model's output '%s' is its input",
                           gn_graph_value(graph, gn_graph_output(graph, i))->name);
    return GN_OK;
}

static void free_contents(gn_tensor *data)
{
    gn_free(data->data);
    data->data = NULL;
    data->owned = false;
}

/* Frees the contents of weights that folding has replaced; borrowed contents stay. */
static void drop_unused_weights(gn_graph *graph, bool *used)
{
    for (int i = 0; i < gn_graph_node_count(graph); i++) {
        const gn_node *node = gn_graph_node(graph, i);
        for (int k = 0; k < node->n_in; k++)
            if (node->in[k] >= 0)
                used[node->in[k]] = true;
    }
    for (int i = 0; i < gn_graph_output_count(graph); i++)
        used[gn_graph_output(graph, i)] = true;
    for (int i = 0; i < gn_graph_value_count(graph); i++) {
        gn_tensor *data = gn_graph_value(graph, i)->data;
        if (!used[i] && data && data->owned)
            free_contents(data);
    }
}

static gn_status make_inference_form(gn_session *s, gn_error *err)
{
    gn_model_info info = s->info;
    GN_TRY(bind_input(s->graph, &info, 1, err));
    GN_TRY(gn_graph_infer(s->graph, err));
    GN_TRY(gn_pass_inference(s->graph, err));
    GN_TRY(gn_graph_infer(s->graph, err));
    bool *used = gn_calloc((size_t)gn_graph_value_count(s->graph) + 1, sizeof *used);
    if (!used)
        return gn_fail(err, GN_ENOMEM, "no memory to prepare the model");
    drop_unused_weights(s->graph, used);
    gn_free(used);
    return GN_OK;
}

static gn_status setup(gn_session *s, const gn_session_options *options, gn_error *err)
{
    int threads = options->threads ? options->threads : gn_cpu_count();
    if (threads < 1 || threads > MAX_THREADS)
        return gn_fail(err, GN_EINVAL, "%d threads: 1 to %d were expected", options->threads, MAX_THREADS);
    s->arena = gn_arena_create(0);
    if (!s->arena)
        return gn_fail(err, GN_ENOMEM, "no memory to prepare the model");
    GN_TRY(check_model(s->graph, err));
    s->is_fixed_batch = gn_graph_value(s->graph, gn_graph_input(s->graph, 0))->shape.dim[0] == 1;
    GN_TRY(gn_model_info_read(s->graph, s->arena, &s->info, err));
    if (options->imgsz_w > 0 && options->imgsz_h > 0) {
        s->info.imgsz_w = options->imgsz_w;
        s->info.imgsz_h = options->imgsz_h;
    }
    if (options->has_conf)
        s->info.conf = options->conf;
    const bool is_detector = s->info.decode == GN_DECODE_DETECT;
    if (is_detector)
        GN_TRY(gn_detector_restore_tail(s->graph, err));
    gn_status status = make_inference_form(s, err);
    if (status != GN_OK)
        return is_detector && status == GN_ESHAPE ? gn_session_explain_size(&s->info, err) : status;
    if (is_detector)
        GN_TRY(gn_session_setup_detector(s, options, err));
    s->backend = &gn_backend_cpu;
    return s->backend->open(threads, &s->device, err);
}

/* Takes `graph`. */
static gn_status open_owned(gn_graph *graph, const gn_session_options *options, gn_session **session_out, gn_error *err)
{
    const gn_session_options defaults = {0};
    gn_session *s = gn_calloc(1, sizeof *s);
    if (!s) {
        gn_graph_destroy(&graph);
        return gn_fail(err, GN_ENOMEM, "no memory to prepare the model");
    }
    s->graph = graph;
    gn_status status = setup(s, options ? options : &defaults, err);
    if (status == GN_OK)
        *session_out = s;
    else
        gn_session_close(&s);
    return status;
}

static void name_file(gn_error *err, const char *path)
{
    if (err && !*err->file)
        snprintf(err->file, sizeof err->file, "%s", path);
}

gn_status gn_session_open(const char *path, const gn_session_options *options, gn_session **session_out, gn_error *err)
{
    gn_graph *graph = NULL;
    const gn_onnx_read_options known = {.imgsz_w = options ? options->imgsz_w : 0,
                                        .imgsz_h = options ? options->imgsz_h : 0};
    GN_TRY(gn_onnx_read_with(path, &known, &graph, err));
    gn_status status = open_owned(graph, options, session_out, err);
    if (status != GN_OK)
        name_file(err, path);
    return status;
}

gn_status gn_session_open_bytes(const void *bytes, size_t n, const char *name, const gn_session_options *options,
                                gn_session **session_out, gn_error *err)
{
    gn_graph *graph = NULL;
    GN_TRY(gn_onnx_read_bytes(bytes, n, name, NULL, &graph, err));
    return open_owned(graph, options, session_out, err);
}

gn_status gn_session_open_graph(const gn_graph *graph, const gn_session_options *options, gn_session **session_out,
                                gn_error *err)
{
    gn_graph *clone = NULL;
    gn_status status = gn_graph_clone(graph, false, &clone);
    if (status != GN_OK)
        return gn_fail(err, status, "no memory to prepare the model");
    return open_owned(clone, options, session_out, err);
}

gn_status gn_session_take_graph(gn_graph **graph, const gn_session_options *options, gn_session **session_out,
                                gn_error *err)
{
    gn_graph *taken = *graph;
    *graph = NULL;
    return open_owned(taken, options, session_out, err);
}

static void drop_plan(gn_session *s, session_plan *plan)
{
    if (plan->exec)
        s->backend->destroy(&plan->exec);
    gn_graph_destroy(&plan->graph);
    *plan = (session_plan){0};
}

static void free_gather(gn_session *s)
{
    for (int k = 0; s->gather && k < gn_graph_output_count(s->graph); k++)
        gn_free(s->gather[k]);
    gn_free(s->gather);
    s->gather = NULL;
    s->gather_room = 0;
}

void gn_session_close(gn_session **session)
{
    gn_session *s = session ? *session : NULL;
    if (!s)
        return;
    for (int i = 0; i < s->n_plans; i++)
        drop_plan(s, &s->plans[i]);
    if (s->device)
        s->backend->close(&s->device);
    free_gather(s);
    gn_graph_destroy(&s->graph);
    gn_arena_destroy(&s->arena);
    gn_nms_destroy(&s->nms);
    gn_free(s->found);
    gn_free(s->input);
    gn_free(s);
    *session = NULL;
}

/* ---- plans ---- */

static gn_status make_plan(gn_session *s, int n, session_plan *plan, gn_error *err)
{
    plan->n = n;
    gn_status status = gn_graph_clone(s->graph, false, &plan->graph);
    if (status != GN_OK)
        return gn_fail(err, status, "no memory to plan the model at batch %d", n);
    GN_TRY(bind_input(plan->graph, &s->info, n, err));
    GN_TRY(gn_graph_infer(plan->graph, err));
    GN_TRY(gn_pass_fold_shapes(plan->graph, err));
    return s->backend->compile(s->device, plan->graph, &plan->exec, err);
}

/* Results for n pictures are n times those for one.  A size of 1 that is written into a fixed model (Reshape to [1,-1]) makes them
 * another thing. */
static bool results_follow(const gn_session *s, const session_plan *plan)
{
    for (int k = 0; k < gn_graph_output_count(s->graph); k++) {
        gn_shape one = gn_graph_value(s->graph, gn_graph_output(s->graph, k))->shape;
        const gn_shape *all = &gn_graph_value(plan->graph, gn_graph_output(plan->graph, k))->shape;
        if (one.rank == 0 || one.dim[0] != 1)
            continue;
        one.dim[0] = plan->n;
        if (!gn_shape_equal(&one, all))
            return false;
    }
    return true;
}

static gn_status add_plan(gn_session *s, int n, gn_error *err)
{
    session_plan plan = {0};
    gn_status status = make_plan(s, n, &plan, err);
    if (status == GN_OK && n > 1 && s->is_fixed_batch && !results_follow(s, &plan))
        status = gn_fail(err, GN_ESHAPE, "the model was made for one picture at a time");
    if (status != GN_OK) {
        drop_plan(s, &plan);
        return status;
    }
    if (s->n_plans == SESSION_MAX_PLANS) { /* the oldest makes room */
        drop_plan(s, &s->plans[0]);
        memmove(&s->plans[0], &s->plans[1], (SESSION_MAX_PLANS - 1) * sizeof s->plans[0]);
        s->n_plans--;
    }
    s->current = s->n_plans;
    s->plans[s->n_plans++] = plan;
    return GN_OK;
}

static gn_status prepare_plan(gn_session *s, int n, gn_error *err)
{
    for (int i = 0; i < s->n_plans; i++)
        if (s->plans[i].n == n) {
            s->current = i;
            return GN_OK;
        }
    if (s->is_sealed)
        return gn_fail(err, GN_EINVAL, "a batch of %d was not prepared before the weights were freed", n);
    return add_plan(s, n, err);
}

/* Numbers of output k for one picture. */
static size_t numbers_of(const gn_session *s, int k)
{
    const gn_value *value = gn_graph_value(s->graph, gn_graph_output(s->graph, k));
    return value->dtype == GN_DTYPE_F32 ? (size_t)gn_shape_count(&value->shape) : 0;
}

static gn_status make_gather(gn_session *s, int n, gn_error *err)
{
    const int n_out = gn_graph_output_count(s->graph);
    if (n <= s->gather_room)
        return GN_OK;
    free_gather(s);
    s->gather = gn_calloc((size_t)n_out + 1, sizeof *s->gather);
    for (int k = 0; s->gather && k < n_out; k++) {
        size_t count;
        bool fits = gn_mul_size(numbers_of(s, k), (size_t)n, &count);
        s->gather[k] = fits ? gn_calloc(count + 1, sizeof(float)) : NULL;
        if (!s->gather[k])
            return gn_fail(err, GN_ENOMEM, "no memory for the results of %d pictures", n);
    }
    if (!s->gather)
        return gn_fail(err, GN_ENOMEM, "no memory for the results of %d pictures", n);
    s->gather_room = n;
    return GN_OK;
}

gn_status gn_session_prepare(gn_session *session, int n, gn_error *err)
{
    gn_session *s = session;
    if (n < 1 || n > GN_SESSION_MAX_BATCH)
        return gn_fail(err, GN_EINVAL, "a batch of %d: 1 to %d were expected", n, GN_SESSION_MAX_BATCH);
    s->gathered = 0;
    if (n == 1 || !s->runs_in_turns) {
        gn_error why = {0};
        gn_status status = prepare_plan(s, n, &why);
        const bool needs_turns = status == GN_ESHAPE && n > 1 && s->is_fixed_batch;
        s->runs_in_turns = s->runs_in_turns || needs_turns;
        if (!needs_turns) {
            if (status != GN_OK && err)
                *err = why;
            return status;
        }
    }
    GN_TRY(prepare_plan(s, 1, err));
    return make_gather(s, n, err);
}

static gn_status run_in_turns(gn_session *s, const float *images, int n, gn_error *err)
{
    session_plan *plan = &s->plans[s->current];
    const int input = gn_graph_input(plan->graph, 0);
    const size_t per_image = (size_t)gn_shape_count(&gn_graph_value(plan->graph, input)->shape);
    for (int i = 0; i < n; i++) {
        GN_TRY(s->backend->bind(plan->exec, input, images + (size_t)i * per_image));
        GN_TRY(s->backend->run(plan->exec, err));
        for (int k = 0; k < gn_graph_output_count(plan->graph); k++) {
            const size_t count = numbers_of(s, k);
            if (count > 0)
                memcpy(s->gather[k] + (size_t)i * count, s->backend->output(plan->exec, k), count * sizeof(float));
        }
    }
    s->gathered = n;
    return GN_OK;
}

gn_status gn_session_run(gn_session *session, const float *images, int n, gn_error *err)
{
    GN_TRY(gn_session_prepare(session, n, err));
    session_plan *plan = &session->plans[session->current];
    if (plan->n != n)
        return run_in_turns(session, images, n, err);
    GN_TRY(session->backend->bind(plan->exec, gn_graph_input(plan->graph, 0), images));
    return session->backend->run(plan->exec, err);
}

gn_status gn_session_run_timed(gn_session *session, int64_t *step_ns, gn_error *err)
{
    if (session->n_plans == 0)
        return gn_fail(err, GN_EINVAL, "timing steps of a session that has not run");
    return session->backend->run_timed(session->plans[session->current].exec, step_ns, err);
}

/* ---- looking ---- */

const gn_model_info *gn_session_info(const gn_session *session)
{
    return &session->info;
}

int gn_session_threads(const gn_session *session)
{
    return session->backend->threads(session->device);
}

gn_shape gn_session_input_shape(const gn_session *session)
{
    return gn_graph_value(session->graph, gn_graph_input(session->graph, 0))->shape;
}

const gn_graph *gn_session_graph(const gn_session *session)
{
    return session->graph;
}

int gn_session_output_count(const gn_session *session)
{
    return gn_graph_output_count(session->graph);
}

const float *gn_session_output(const gn_session *session, int i, gn_shape *shape_out)
{
    const session_plan *plan = &session->plans[session->current];
    if (session->n_plans == 0 || i < 0 || i >= gn_graph_output_count(plan->graph))
        return NULL;
    const gn_value *value = gn_graph_value(plan->graph, gn_graph_output(plan->graph, i));
    gn_shape shape = value->shape;
    if (session->gathered > 0) {
        shape.rank = shape.rank > 0 ? shape.rank : 1;
        shape.dim[0] = (value->shape.rank > 0 ? shape.dim[0] : 1) * session->gathered;
    }
    if (shape_out)
        *shape_out = shape;
    if (session->gathered > 0 && value->dtype == GN_DTYPE_F32)
        return session->gather[i];
    return value->dtype == GN_DTYPE_F32 ? session->backend->output(plan->exec, i) : NULL;
}

const gn_plan *gn_session_plan(const gn_session *session, const gn_graph **graph_out)
{
    if (session->n_plans == 0)
        return NULL;
    const session_plan *plan = &session->plans[session->current];
    if (graph_out)
        *graph_out = plan->graph;
    return session->backend->plan(plan->exec);
}

static bool is_read(const gn_session *s, int value)
{
    for (int i = 0; i < s->n_plans; i++)
        if (s->backend->reads_data(s->plans[i].exec, value))
            return true;
    return false;
}

void gn_session_release_weights(gn_session *session)
{
    for (int i = 0; session->n_plans > 0 && i < gn_graph_value_count(session->graph); i++) {
        gn_tensor *data = gn_graph_value(session->graph, i)->data;
        if (data && data->owned && !is_read(session, i))
            free_contents(data);
    }
    session->is_sealed = session->n_plans > 0;
}

size_t gn_session_memory_bytes(const gn_session *session)
{
    size_t bytes = 0;
    for (int i = 0; i < gn_graph_value_count(session->graph); i++) {
        const gn_tensor *data = gn_graph_value(session->graph, i)->data;
        bytes += data && data->data ? gn_tensor_bytes(data) : 0;
    }
    for (int k = 0; session->gather_room > 0 && k < gn_graph_output_count(session->graph); k++)
        bytes += numbers_of(session, k) * (size_t)session->gather_room * sizeof(float);
    size_t arena = 0; /* plans share one, as large as the largest needs */
    for (int i = 0; i < session->n_plans; i++) {
        size_t own = session->backend->plan(session->plans[i].exec)->arena_bytes;
        bytes += session->backend->memory_bytes(session->plans[i].exec) - own;
        arena = own > arena ? own : arena;
    }
    return bytes + arena;
}
