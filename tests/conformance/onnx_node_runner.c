/* Runs models that come with inputs and expected outputs, in the form of ONNX's backend tests, by the operators' references and on the
 * CPU backend, and compares.
 *     onnx_node_runner [--rtol R] [--atol A] [--range E] [--reference 0] [--threads N] FOLDER...
 *     onnx_node_runner --operators
 * FOLDER holds model.onnx and test_data_set_0, ... with input_0.pb, ..., output_0.pb, ...  Numbers agree when |got - want| <= A + R * |want|
 * (1e-7 and 1e-3, as in ONNX), or with --range
 * |got - want| <= A + E * range of what was expected.  One line per folder:
 *     ok NAME HOW | refused NAME: why the reader does not take it | FAILED NAME: what deviates
 * Models that a session takes (one input of pictures) are run through one, too; --reference 0 leaves the slow references out.
 * HOW says what had to be constant: "free", "shapes" (all inputs but the first) or "constant" (all inputs).
 * --operators: one line per operator of ONNX that is known: name, "kernel" or "reference", "gradient" or "-".
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/cpu_internal.h"
#include "base/file.h"
#include "formats/onnx/onnx_reader.h"
#include "graph/passes.h"
#include "ops/interpret.h"
#include "ops/ops.h"
#include "run/session.h"

#define MAX_TENSORS 64
#define MAX_SETS    64

typedef struct tolerance {
    double rtol, atol, range; /* range > 0 counts alone */
    double reference, threads;
} tolerance;

typedef struct data_set {
    int n_in, n_out;
    gn_tensor *in[MAX_TENSORS], *out[MAX_TENSORS];
    char in_name[MAX_TENSORS][256];
} data_set;

enum { BIND_NOTHING, BIND_ALL_BUT_FIRST, BIND_ALL, N_BINDINGS };
static const char *const binding_names[N_BINDINGS] = {"free", "shapes", "constant"};

/* ---- files ---- */

static void free_set(data_set *set)
{
    for (int i = 0; i < MAX_TENSORS; i++) {
        gn_tensor_destroy(&set->in[i]);
        gn_tensor_destroy(&set->out[i]);
    }
}

static gn_status read_set(const char *folder, int index, data_set *set, gn_error *err)
{
    char path[4096];
    *set = (data_set){0};
    for (int side = 0; side < 2; side++)
        for (int i = 0; i < MAX_TENSORS; i++) {
            snprintf(path, sizeof path, "%s/test_data_set_%d/%s_%d.pb", folder, index, side ? "output" : "input", i);
            if (!gn_path_exists(path))
                break;
            GN_TRY(gn_onnx_read_tensor(path, side ? NULL : set->in_name[i], sizeof set->in_name[i],
                                       side ? &set->out[i] : &set->in[i], err));
            *(side ? &set->n_out : &set->n_in) = i + 1;
        }
    return GN_OK;
}

/* ---- comparing ---- */

static double range_of(const gn_tensor *t)
{
    double lo = INFINITY, hi = -INFINITY;
    for (int64_t i = 0; i < gn_tensor_count(t); i++) {
        lo = fmin(lo, gn_tensor_get(t, i));
        hi = fmax(hi, gn_tensor_get(t, i));
    }
    return hi > lo ? hi - lo : 1;
}

static bool agrees(const tolerance *tol, double range, double got, double want)
{
    if (isnan(want) || isnan(got))
        return isnan(want) && isnan(got);
    if (isinf(want) || isinf(got))
        return got == want;
    return fabs(got - want) <= tol->atol + (tol->range > 0 ? tol->range * range : tol->rtol * fabs(want));
}

/* Outputs whose number of rows depends on data have an upper bound here; the rows that are too many hold -1. */
static bool is_padded(const gn_tensor *got, const gn_tensor *want)
{
    gn_shape shape = got->shape;
    if (shape.rank < 1 || shape.rank != want->shape.rank || shape.dim[0] < want->shape.dim[0] ||
        got->dtype != GN_DTYPE_S64)
        return false;
    shape.dim[0] = want->shape.dim[0];
    for (int64_t i = gn_tensor_count(want); i < gn_tensor_count(got); i++)
        if (gn_tensor_get_s64(got, i) != -1)
            return false;
    return gn_shape_equal(&shape, &want->shape);
}

static gn_status compare(const gn_tensor *got, const gn_tensor *want, int k, const tolerance *tol, const char *how,
                         gn_error *err)
{
    char a[128], b[128];
    if (!got)
        return gn_fail(err, GN_EINVAL, "%s: output %d is missing", how, k);
    gn_shape_format(&got->shape, a);
    gn_shape_format(&want->shape, b);
    if (got->dtype != want->dtype || (!gn_shape_equal(&got->shape, &want->shape) && !is_padded(got, want)))
        return gn_fail(err, GN_ESHAPE, "%s: output %d is %s %s, expected %s %s", how, k, gn_dtype_name(got->dtype), a,
                       gn_dtype_name(want->dtype), b);
    const double range = range_of(want);
    double worst = 0;
    for (int64_t i = 0; i < gn_tensor_count(want); i++) {
        const double x = gn_tensor_get(got, i), y = gn_tensor_get(want, i);
        if (!agrees(tol, range, x, y))
            return gn_fail(err, GN_EINVAL, "%s: output %d, element %" PRId64 " is %.9g, expected %.9g", how, k, i, x,
                           y);
        if (fabs(x - y) > tol->atol)
            worst = fmax(worst, fabs(x - y) / range);
    }
    if (tol->range > 0)
        printf("    %s: output %d %s, largest difference %.2e of its range\n", how, k, b, worst);
    return GN_OK;
}

/* ---- running ---- */

static const gn_tensor *input_named(const data_set *set, const char *name, int i)
{
    for (int k = 0; k < set->n_in; k++)
        if (strcmp(set->in_name[k], name) == 0)
            return set->in[k];
    return i < set->n_in ? set->in[i] : NULL;
}

static gn_status bind_shapes(gn_graph *graph, const data_set *set, gn_error *err)
{
    for (int i = 0; i < gn_graph_input_count(graph); i++) {
        const int id = gn_graph_input(graph, i);
        const gn_tensor *t = input_named(set, gn_graph_value(graph, id)->name, i);
        if (!t || gn_graph_set_input_shape(graph, id, &t->shape) != GN_OK)
            return gn_fail(err, GN_ESHAPE, "there is no data for input %s", gn_graph_value(graph, id)->name);
    }
    return gn_graph_infer(graph, err);
}

static gn_status run_interpreter(const gn_graph *graph, const data_set *set, const tolerance *tol, gn_error *err)
{
    gn_interpret *it = NULL;
    gn_status status = gn_interpret_create(graph, GN_DTYPE_F32, &it, err);
    for (int i = 0; status == GN_OK && i < gn_graph_input_count(graph); i++) {
        const int id = gn_graph_input(graph, i);
        status = gn_interpret_set_tensor(it, id, input_named(set, gn_graph_value(graph, id)->name, i));
    }
    if (status == GN_OK)
        status = gn_interpret_run(it, err);
    for (int k = 0; status == GN_OK && k < set->n_out; k++)
        status = compare(k < gn_graph_output_count(graph) ? gn_interpret_get(it, gn_graph_output(graph, k)) : NULL,
                         set->out[k], k, tol, "reference", err);
    gn_interpret_destroy(&it);
    return status;
}

static gn_status prepare_inference(const gn_graph *graph, gn_graph **out, gn_error *err)
{
    GN_TRY(gn_graph_clone(graph, true, out));
    GN_TRY(gn_graph_infer(*out, err));
    GN_TRY(gn_pass_inference(*out, err));
    GN_TRY(gn_graph_infer(*out, err));
    return gn_pass_fold_shapes(*out, err);
}

static gn_status run_exec(gn_exec *exec, const gn_graph *graph, const data_set *set, const tolerance *tol,
                          gn_error *err)
{
    for (int i = 0; i < gn_graph_input_count(graph); i++) {
        const int id = gn_graph_input(graph, i);
        GN_TRY(gn_backend_cpu.bind(exec, id, input_named(set, gn_graph_value(graph, id)->name, i)->data));
    }
    GN_TRY(gn_backend_cpu.run(exec, err));
    for (int k = 0; k < set->n_out && k < gn_graph_output_count(graph); k++) {
        const gn_value *v = gn_graph_value(graph, gn_graph_output(graph, k));
        union {
            const void *from;
            void *to;
        } data = {.from = gn_backend_cpu.output(exec, k)};
        const gn_tensor got = gn_tensor_view(v->dtype, &v->shape, data.to);
        GN_TRY(compare(&got, set->out[k], k, tol, "cpu", err));
    }
    return GN_OK;
}

static gn_status run_cpu(const gn_graph *graph, const data_set *set, const tolerance *tol, gn_error *err)
{
    gn_graph *g = NULL;
    gn_device *device = NULL;
    gn_exec *exec = NULL;
    gn_status status = prepare_inference(graph, &g, err);
    if (status == GN_OK)
        status = gn_backend_cpu.open((int)tol->threads, &device, err);
    if (status == GN_OK)
        status = gn_backend_cpu.compile(device, g, &exec, err);
    if (status == GN_OK)
        status = run_exec(exec, g, set, tol, err);
    if (exec)
        gn_backend_cpu.destroy(&exec);
    if (device)
        gn_backend_cpu.close(&device);
    gn_graph_destroy(&g);
    return status;
}

static bool fits_session(const gn_graph *graph, const data_set *set)
{
    if (gn_graph_input_count(graph) != 1 || set->n_in < 1 || gn_graph_output_count(graph) < 1)
        return false;
    const gn_value *x = gn_graph_value(graph, gn_graph_input(graph, 0));
    for (int k = 0; k < gn_graph_output_count(graph); k++) {
        const gn_value *y = gn_graph_value(graph, gn_graph_output(graph, k));
        if (y->kind == GN_VALUE_INPUT || y->dtype != GN_DTYPE_F32)
            return false;
    }
    return x->dtype == GN_DTYPE_F32 && x->shape.rank == 4 && gn_shape_count(&x->shape) > 0;
}

static gn_status run_session(const char *folder, const data_set *set, const tolerance *tol, gn_error *err)
{
    char path[4096];
    const gn_tensor *x = set->in[0];
    gn_session *session = NULL;
    const gn_session_options options = {
        .threads = (int)tol->threads, .imgsz_w = (int)x->shape.dim[3], .imgsz_h = (int)x->shape.dim[2]};
    snprintf(path, sizeof path, "%s/model.onnx", folder);
    gn_status status = gn_session_open(path, &options, &session, err);
    if (status == GN_OK)
        status = gn_session_run(session, x->data, (int)x->shape.dim[0], err);
    for (int k = 0; status == GN_OK && k < set->n_out; k++) {
        gn_shape shape = {0};
        union {
            const float *from;
            void *to;
        } data = {.from = gn_session_output(session, k, &shape)};
        const gn_tensor got = gn_tensor_view(GN_DTYPE_F32, &shape, data.to);
        status = compare(data.to ? &got : NULL, set->out[k], k, tol, "session", err);
    }
    gn_session_close(&session);
    return status;
}

/* Reads the model with as few inputs bound as it takes; *binding_out says how many. */
static gn_status read_model(const char *folder, const data_set *set, gn_graph **graph_out, int *binding_out,
                            gn_error *err)
{
    char path[4096];
    gn_onnx_bound bound[MAX_TENSORS];
    gn_status status = GN_EINVAL;
    snprintf(path, sizeof path, "%s/model.onnx", folder);
    for (int binding = 0; binding < N_BINDINGS && status != GN_OK; binding++) {
        gn_onnx_read_options options = {.bound = bound};
        for (int i = 0; i < set->n_in; i++)
            if (binding == BIND_ALL || (binding == BIND_ALL_BUT_FIRST && i > 0))
                bound[options.n_bound++] = (gn_onnx_bound){set->in_name[i], set->in[i]};
        gn_error now = {0};
        status = gn_onnx_read_with(path, &options, graph_out, &now);
        if (status == GN_OK && (status = bind_shapes(*graph_out, set, &now)) != GN_OK)
            gn_graph_destroy(graph_out);
        if (status != GN_OK && (binding == 0 || status != GN_ESHAPE))
            *err = now;
        *binding_out = binding;
    }
    return status;
}

static int run_folder(const char *folder, const tolerance *tol)
{
    const char *name = strrchr(folder, '/') ? strrchr(folder, '/') + 1 : folder;
    int binding = 0;
    for (int i = 0; i < MAX_SETS; i++) {
        char path[4096];
        data_set set;
        gn_error err = {0};
        gn_graph *graph = NULL;
        snprintf(path, sizeof path, "%s/test_data_set_%d", folder, i);
        if (!gn_path_exists(path))
            break;
        bool is_read = false;
        gn_status status = read_set(folder, i, &set, &err);
        if (status == GN_OK)
            status = read_model(folder, &set, &graph, &binding, &err);
        if (status == GN_OK) {
            is_read = true;
            status = tol->reference > 0 ? run_interpreter(graph, &set, tol, &err) : GN_OK;
        }
        if (status == GN_OK)
            status = run_cpu(graph, &set, tol, &err);
        if (status == GN_OK && binding == BIND_NOTHING && fits_session(graph, &set))
            status = run_session(folder, &set, tol, &err);
        gn_graph_destroy(&graph);
        free_set(&set);
        if (status != GN_OK) {
            printf("%s %s: %s\n", is_read ? "FAILED" : "refused", name, err.message);
            return is_read;
        }
    }
    printf("ok %s %s\n", name, binding_names[binding]);
    return 0;
}

/* ---- operators ---- */

static void list_operators(void)
{
    for (const gn_op_def *const *def = gn_ops_registry()->defs; *def; def++)
        if (*(*def)->domain == '\0')
            printf("%s %s %s\n", (*def)->name, gn_cpu_op_named("", (*def)->name) ? "kernel" : "reference",
                   (*def)->grad || (*def)->training ? "gradient" : "-");
}

int main(int argc, char **argv)
{
    tolerance tol = {1e-3, 1e-7, 0, 1, 1};
    int n_failed = 0, i = 1;
    if (argc == 2 && strcmp(argv[1], "--operators") == 0) {
        list_operators();
        return 0;
    }
    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        double *to = strcmp(argv[i], "--rtol") == 0        ? &tol.rtol
                     : strcmp(argv[i], "--atol") == 0      ? &tol.atol
                     : strcmp(argv[i], "--range") == 0     ? &tol.range
                     : strcmp(argv[i], "--reference") == 0 ? &tol.reference
                     : strcmp(argv[i], "--threads") == 0   ? &tol.threads
                                                           : NULL;
        if (!to)
            break;
        *to = atof(argv[i + 1]);
    }
    if (i >= argc || argv[i][0] == '-') {
        fprintf(stderr, "usage: %s [--rtol R] [--atol A] [--range E] [--reference 0] [--threads N] FOLDER...\n",
                argv[0]);
        return 2;
    }
    for (; i < argc; i++) {
        n_failed += run_folder(argv[i], &tol);
        fflush(stdout);
    }
    return n_failed > 0;
}
