/* Plans of kernels: from a session, to a session, and as JSON.
 * SPDX-License-Identifier: Apache-2.0 */
#include "run/kernel_plan.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/file.h"
#include "base/json.h"

#define FORMAT 1

/* ---- from a session ---- */

static int step_count(const gn_session *session)
{
    const gn_plan *plan = gn_session_plan(session, NULL);
    return plan ? plan->n_steps : 0;
}

static int batch_of(const gn_session *session)
{
    const gn_graph *graph = NULL;
    if (!gn_session_plan(session, &graph))
        return 0;
    return (int)gn_graph_value(graph, gn_graph_input(graph, 0))->shape.dim[0];
}

static uint64_t hash_text(const char *text, uint64_t seed)
{
    return gn_hash64(text, strlen(text) + 1, seed);
}

static uint64_t hash_graph(const gn_session *session)
{
    uint64_t hash = 0;
    for (int i = 0; i < step_count(session); i++) {
        gn_step_info info;
        gn_session_step(session, i, &info);
        hash = hash_text(info.shape, hash_text(info.name, hash_text(info.op, hash)));
    }
    return hash;
}

static bool has_choices(const gn_session *session, int step)
{
    gn_step_kernel one;
    return gn_session_step_choices(session, step, &one, 1) > 0;
}

static gn_kernel_plan *new_plan(int lines)
{
    gn_kernel_plan *plan = gn_calloc(1, sizeof *plan);
    if (!plan)
        return NULL;
    plan->arena = gn_arena_create(0);
    plan->lines = plan->arena ? gn_arena_alloc(plan->arena, ((size_t)lines + 1) * sizeof *plan->lines) : NULL;
    if (!plan->lines)
        gn_kernel_plan_destroy(&plan);
    return plan;
}

void gn_kernel_plan_destroy(gn_kernel_plan **plan)
{
    if (!plan || !*plan)
        return;
    gn_arena_destroy(&(*plan)->arena);
    gn_free(*plan);
    *plan = NULL;
}

gn_status gn_kernel_plan_of(const gn_session *session, gn_kernel_plan **plan_out, gn_error *err)
{
    const int steps = step_count(session);
    if (steps == 0)
        return gn_fail(err, GN_EINVAL, "a plan of kernels was asked for before the model was prepared");
    gn_kernel_plan *plan = new_plan(steps);
    if (!plan)
        return gn_fail(err, GN_ENOMEM, "no memory for a plan of kernels");
    bool is_full = false;
    for (int i = 0; i < steps && !is_full; i++) {
        gn_step_info info;
        if (!has_choices(session, i))
            continue;
        gn_session_step(session, i, &info);
        gn_kernel_line *line = &plan->lines[plan->n++];
        line->name = gn_arena_strdup(plan->arena, info.name);
        line->shape = gn_arena_strdup(plan->arena, info.shape);
        line->kernel = gn_arena_strdup(plan->arena, info.kernel.name);
        is_full = !line->name || !line->shape || !line->kernel;
    }
    plan->cpu = gn_arena_strdup(plan->arena, gn_cpu_name());
    plan->level = gn_arena_strdup(plan->arena, gn_cpu_level_name(gn_cpu_current()));
    plan->threads = gn_session_threads(session);
    plan->batch = batch_of(session);
    plan->graph = hash_graph(session);
    if (is_full || !plan->cpu || !plan->level) {
        gn_kernel_plan_destroy(&plan);
        return gn_fail(err, GN_ENOMEM, "no memory for a plan of kernels");
    }
    *plan_out = plan;
    return GN_OK;
}

/* ---- JSON ---- */

gn_status gn_kernel_plan_text(const gn_kernel_plan *plan, gn_text *text)
{
    gn_text_printf(text, "{\"gannet_plan\": %d, \"cpu\": ", FORMAT);
    gn_text_add_json(text, plan->cpu);
    gn_text_add(text, ", \"level\": ");
    gn_text_add_json(text, plan->level);
    gn_text_printf(text, ", \"threads\": %d, \"batch\": %d, \"graph\": \"%016" PRIx64 "\",\n \"layers\": [",
                   plan->threads, plan->batch, plan->graph);
    for (int i = 0; i < plan->n; i++) {
        gn_text_add(text, i ? ",\n  {\"name\": " : "\n  {\"name\": ");
        gn_text_add_json(text, plan->lines[i].name);
        gn_text_add(text, ", \"shape\": ");
        gn_text_add_json(text, plan->lines[i].shape);
        gn_text_add(text, ", \"kernel\": ");
        gn_text_add_json(text, plan->lines[i].kernel);
        gn_text_add(text, "}");
    }
    gn_text_add(text, "]}\n");
    return text->failed ? GN_ENOMEM : GN_OK;
}

gn_status gn_kernel_plan_write(const gn_kernel_plan *plan, const char *path, gn_error *err)
{
    gn_text text;
    gn_text_init(&text);
    gn_status status = gn_kernel_plan_text(plan, &text);
    if (status == GN_OK)
        status = gn_file_write(path, text.data, text.len, err);
    else
        gn_fail_at(err, status, path, 0, "no memory to write the plan of kernels");
    gn_text_deinit(&text);
    return status;
}

static bool read_count(const gn_json *root, const char *key, int most, int *out)
{
    double x = 0;
    if (!gn_json_number(root, key, &x) || !(x >= 1 && x <= most) || x != floor(x))
        return false;
    *out = (int)x;
    return true;
}

static bool read_hash(const gn_json *root, uint64_t *out)
{
    const char *text = NULL;
    if (!gn_json_string(root, "graph", &text) || strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
        return false;
    *out = strtoull(text, NULL, 16);
    return true;
}

static const char *copy_member(gn_kernel_plan *plan, const gn_json *object, const char *key)
{
    const char *text = NULL;
    return gn_json_string(object, key, &text) ? gn_arena_strdup(plan->arena, text) : NULL;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const gn_kernel_line *const *)a)->name, (*(const gn_kernel_line *const *)b)->name);
}

/* Lines in the order of their names; NULL when there is no memory. */
static const gn_kernel_line **sorted_lines(const gn_kernel_plan *plan)
{
    const gn_kernel_line **list = gn_calloc((size_t)plan->n + 1, sizeof *list);
    for (int i = 0; list && i < plan->n; i++)
        list[i] = &plan->lines[i];
    if (list)
        qsort(list, (size_t)plan->n, sizeof *list, by_name);
    return list;
}

static gn_status check_names(const gn_kernel_plan *plan, gn_error *err)
{
    const gn_kernel_line **list = sorted_lines(plan);
    if (!list)
        return gn_fail(err, GN_ENOMEM, "no memory for a plan of kernels");
    const char *twice = NULL;
    for (int i = 1; i < plan->n && !twice; i++)
        if (strcmp(list[i]->name, list[i - 1]->name) == 0)
            twice = list[i]->name;
    gn_status status = GN_OK;
    if (twice)
        status = gn_fail(err, GN_EFORMAT, "the plan of kernels names layer '%.80s' twice", twice);
    gn_free(list);
    return status;
}

static gn_status read_lines(gn_kernel_plan *plan, const gn_json *layers, gn_error *err)
{
    for (const gn_json *item = layers->first; item; item = item->next) {
        gn_kernel_line *line = &plan->lines[plan->n];
        line->name = copy_member(plan, item, "name");
        line->shape = copy_member(plan, item, "shape");
        line->kernel = copy_member(plan, item, "kernel");
        if (!line->name || !line->shape || !line->kernel)
            return gn_fail(err, GN_EFORMAT, "layer %d of the plan of kernels lacks its name, shape or kernel",
                           plan->n + 1);
        plan->n++;
    }
    return check_names(plan, err);
}

static gn_status read_root(const gn_json *root, gn_kernel_plan **plan_out, gn_error *err)
{
    int format = 0, n = 0;
    const gn_json *layers = gn_json_member(root, "layers");
    if (!read_count(root, "gannet_plan", 1 << 30, &format) || !layers || layers->kind != GN_JSON_ARRAY)
        return gn_fail(err, GN_EFORMAT,
                       "no plan of kernels: an object with \"gannet_plan\" and \"layers\" was expected");
    if (format != FORMAT)
        return gn_fail(err, GN_EFORMAT, "a plan of kernels in format %d, this version reads %d", format, FORMAT);
    for (const gn_json *item = layers->first; item; item = item->next)
        n++;
    if (n > GN_KERNEL_PLAN_MAX_LAYERS)
        return gn_fail(err, GN_ELIMIT, "a plan of kernels with %d layers, at most %d are read", n,
                       GN_KERNEL_PLAN_MAX_LAYERS);
    gn_kernel_plan *plan = new_plan(n);
    if (!plan)
        return gn_fail(err, GN_ENOMEM, "no memory for a plan of kernels");
    plan->cpu = copy_member(plan, root, "cpu");
    plan->level = copy_member(plan, root, "level");
    gn_status status = GN_OK;
    if (!plan->cpu || !plan->level || !read_count(root, "threads", 256, &plan->threads) ||
        !read_count(root, "batch", GN_SESSION_MAX_BATCH, &plan->batch) || !read_hash(root, &plan->graph))
        status =
            gn_fail(err, GN_EFORMAT, "a plan of kernels that does not say its cpu, level, threads, batch and graph");
    if (status == GN_OK)
        status = read_lines(plan, layers, err);
    if (status == GN_OK)
        *plan_out = plan;
    else
        gn_kernel_plan_destroy(&plan);
    return status;
}

gn_status gn_kernel_plan_parse(const char *text, size_t bytes, gn_kernel_plan **plan_out, gn_error *err)
{
    const gn_json *root = NULL;
    gn_arena *arena = gn_arena_create(0);
    if (!arena)
        return gn_fail(err, GN_ENOMEM, "no memory for a plan of kernels");
    gn_status status = gn_json_parse(text, bytes, arena, &root, err);
    if (status == GN_OK)
        status = read_root(root, plan_out, err);
    gn_arena_destroy(&arena);
    return status;
}

gn_status gn_kernel_plan_read(const char *path, gn_kernel_plan **plan_out, gn_error *err)
{
    char *text = NULL;
    size_t bytes = 0;
    GN_TRY(gn_file_read(path, GN_KERNEL_PLAN_MAX_BYTES, &text, &bytes, err));
    const gn_status status = gn_kernel_plan_parse(text, bytes, plan_out, err);
    if (status != GN_OK && err)
        snprintf(err->file, sizeof err->file, "%s", path);
    gn_free(text);
    return status;
}

/* ---- to a session ---- */

static const gn_kernel_line *find_line(const gn_kernel_plan *plan, const gn_kernel_line *const *sorted,
                                       const char *name)
{
    const gn_kernel_line wanted = {.name = name}, *key = &wanted;
    const gn_kernel_line *const *found = bsearch(&key, sorted, (size_t)plan->n, sizeof *sorted, by_name);
    return found ? *found : NULL;
}

/* All layers of both sides meet, so that nothing is fixed when something does not fit. */
static gn_status check_fit(const gn_kernel_plan *plan, const gn_kernel_line *const *sorted, const gn_session *session,
                           gn_error *err)
{
    int met = 0;
    if (plan->batch != batch_of(session))
        return gn_fail(err, GN_EINVAL, "the plan of kernels is for a batch of %d, the model runs with %d", plan->batch,
                       batch_of(session));
    for (int i = 0; i < step_count(session); i++) {
        gn_step_info info;
        if (!has_choices(session, i))
            continue;
        gn_session_step(session, i, &info);
        const gn_kernel_line *line = find_line(plan, sorted, info.name);
        if (!line)
            return gn_fail(err, GN_EINVAL, "the plan of kernels is not for this model: it lacks layer '%s'", info.name);
        if (strcmp(line->shape, info.shape) != 0)
            return gn_fail(err, GN_EINVAL, "the plan of kernels is not for this model: layer '%s' is %s there, %s here",
                           info.name, line->shape, info.shape);
        met++;
    }
    if (met != plan->n)
        return gn_fail(err, GN_EINVAL, "the plan of kernels is not for this model: it has %d layers, the model %d",
                       plan->n, met);
    return GN_OK;
}

gn_status gn_kernel_plan_apply(const gn_kernel_plan *plan, gn_session *session, gn_error *err)
{
    const gn_kernel_line **sorted = sorted_lines(plan);
    if (!sorted)
        return gn_fail(err, GN_ENOMEM, "no memory for a plan of kernels");
    gn_status status = check_fit(plan, sorted, session, err);
    for (int i = 0; i < step_count(session) && status == GN_OK; i++) {
        gn_step_info info;
        if (!has_choices(session, i))
            continue;
        gn_session_step(session, i, &info);
        status = gn_session_choose(session, i, find_line(plan, sorted, info.name)->kernel, err);
    }
    gn_free(sorted);
    return status;
}

bool gn_kernel_plan_is_for(const gn_kernel_plan *plan, const gn_session *session)
{
    return strcmp(plan->cpu, gn_cpu_name()) == 0 && strcmp(plan->level, gn_cpu_level_name(gn_cpu_current())) == 0 &&
           plan->threads == gn_session_threads(session) && plan->batch == batch_of(session) &&
           plan->graph == hash_graph(session);
}

gn_status gn_kernel_plan_cache_path(const gn_session *session, char *dst, size_t dst_bytes)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    const bool has_cache = cache && *cache;
    if (!has_cache && !(home && *home))
        return GN_ENOENT;
    uint64_t machine = hash_text(gn_cpu_level_name(gn_cpu_current()), hash_text(gn_cpu_name(), 0));
    const int sizes[2] = {gn_session_threads(session), batch_of(session)};
    machine = gn_hash64(sizes, sizeof sizes, machine);
    const int n = snprintf(dst, dst_bytes, "%s%s/gannet/kernels-%016" PRIx64 "-%016" PRIx64 ".json",
                           has_cache ? cache : home, has_cache ? "" : "/.cache", hash_graph(session), machine);
    return n < 0 || (size_t)n >= dst_bytes ? GN_ELIMIT : GN_OK;
}
