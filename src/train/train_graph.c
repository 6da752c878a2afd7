/* Building the graph of one training step.
 * SPDX-License-Identifier: Apache-2.0 */

#include <string.h>

#include "backend/backend.h"
#include "graph/autodiff.h"
#include "graph/passes.h"
#include "train/train_builder.h"

int gn_train_input(gn_train_builder *b, const char *name, gn_dtype dtype, gn_shape shape)
{
    return gn_graph_add_input(b->g, name, dtype, &shape);
}

int gn_train_op(gn_train_builder *b, const char *domain, const char *name, const int *in, int n_in,
                const gn_attr *attrs, int n_attrs)
{
    return gn_graph_add_op(b->g, name, domain, name, in, n_in, attrs, n_attrs);
}

/* total + gain*term; total -1: gain*term alone. */
int gn_train_add_term(gn_train_builder *b, int total, int term, double gain)
{
    if (gain != 1.0) {
        const float factor = (float)gain;
        int product[2] = {term, gn_graph_add_const_f32(b->g, "train.gain", 0, &factor)};
        term = gn_train_op(b, "", "Mul", product, 2, NULL, 0);
    }
    if (total < 0)
        return term;
    const int sum[2] = {total, term};
    return gn_train_op(b, "", "Add", sum, 2, NULL, 0);
}

/* Splits [B,5] into boxes [B,4] and scores [B]. */
static void split_score(gn_train_builder *b, int pred, int *boxes, int *score)
{
    const int64_t sizes[2] = {4, 1};
    const int in[2] = {pred, gn_graph_add_const_s64(b->g, "train.split", 2, sizes)};
    gn_attr axis = gn_attr_int("axis", 1);
    int node = gn_graph_add_node(b->g, "Split", "", "train.split", in, 2, 2, &axis, 1);
    if (node < 0)
        return;
    *boxes = gn_graph_node(b->g, node)->out[0];
    const int64_t flat = -1;
    const int reshape[2] = {gn_graph_node(b->g, node)->out[1], gn_graph_add_const_s64(b->g, "train.flat", 1, &flat)};
    *score = gn_train_op(b, "", "Reshape", reshape, 2, NULL, 0);
}

/* The value that the score's sigmoid takes: losses want the logit. */
static int before_sigmoid(const gn_graph *g, int value)
{
    int producer = gn_graph_value(g, value)->producer;
    if (producer < 0 || strcmp(gn_graph_node(g, producer)->op->name, "Sigmoid") != 0)
        return value;
    return gn_graph_node(g, producer)->in[0];
}

/* Finds boxes [B,4] and, for a head with score, its logit [B,1] or [B]: output 0 is [B,4], [B,5] raw, or Concat(boxes, Sigmoid(logit)). */
static void find_predictions(gn_train_builder *b, int *boxes, int *score)
{
    int pred = gn_graph_output(b->g, 0);
    const gn_value *v = gn_graph_value(b->g, pred);
    *boxes = pred;
    *score = -1;
    if (v->shape.rank != 2 || v->shape.dim[1] == 4)
        return;
    const gn_node *last = v->producer >= 0 ? gn_graph_node(b->g, v->producer) : NULL;
    if (last && strcmp(last->op->name, "Concat") == 0 && last->n_in == 2) {
        *boxes = last->in[0];
        const int64_t flat = -1;
        const int reshape[2] = {before_sigmoid(b->g, last->in[1]),
                                gn_graph_add_const_s64(b->g, "train.flat", 1, &flat)};
        *score = gn_train_op(b, "", "Reshape", reshape, 2, NULL, 0);
    } else
        split_score(b, pred, boxes, score);
}

static int box_loss(gn_train_builder *b, int batch)
{
    const gn_box_loss *loss = &b->rule->loss;
    int boxes, score, total = -1;
    find_predictions(b, &boxes, &score);
    b->out->target = gn_train_input(b, "train.target", GN_DTYPE_F32, gn_shape_make(2, batch, 4));
    b->out->has_box = gn_train_input(b, "train.has_box", GN_DTYPE_F32, gn_shape_make(1, batch));
    const int in[3] = {boxes, b->out->target, b->out->has_box};
    if (loss->l1_gain != 0.0) {
        gn_attr beta = gn_attr_float("beta", (float)loss->beta);
        int term =
            gn_train_op(b, "gannet", loss->is_mse ? "MSELoss" : "SmoothL1Loss", in, 3, &beta, loss->is_mse ? 0 : 1);
        total = gn_train_add_term(b, total, term, loss->l1_gain);
    }
    if (loss->iou_gain != 0.0) {
        gn_attr kind = gn_attr_string("kind", loss->iou_kind);
        total = gn_train_add_term(b, total, gn_train_op(b, "gannet", "IoULoss", in, 3, &kind, 1), loss->iou_gain);
    }
    if (score >= 0 && loss->score_gain != 0.0) {
        b->out->weight = gn_train_input(b, "train.weight", GN_DTYPE_F32, gn_shape_make(1, batch));
        const int with_score[3] = {score, b->out->has_box, b->out->weight};
        total = gn_train_add_term(b, total, gn_train_op(b, "gannet", "BCEWithLogitsLoss", with_score, 3, NULL, 0),
                                  loss->score_gain);
    }
    return total;
}

static bool is_task(const gn_graph *model, const char *name)
{
    const char *task = gn_graph_meta_get(model, "gannet.task");
    return task && strcmp(task, name) == 0;
}

bool gn_train_is_classifier(const gn_graph *model)
{
    return is_task(model, "classify");
}

bool gn_train_is_detector(const gn_graph *model)
{
    return is_task(model, "detect");
}

/* Cross entropy of the logits, whether or not the model ends in Softmax. */
static int class_loss(gn_train_builder *b, int batch)
{
    int logits = gn_graph_output(b->g, 0);
    const int producer = gn_graph_value(b->g, logits)->producer;
    if (producer >= 0 && strcmp(gn_graph_node(b->g, producer)->op->name, "Softmax") == 0)
        logits = gn_graph_node(b->g, producer)->in[0];
    b->out->label = gn_train_input(b, "train.label", GN_DTYPE_S64, gn_shape_make(1, batch));
    b->out->weight = gn_train_input(b, "train.weight", GN_DTYPE_F32, gn_shape_make(1, batch));
    const int in[3] = {logits, b->out->label, b->out->weight};
    gn_attr smoothing = gn_attr_float("label_smoothing", (float)b->rule->label_smoothing);
    return gn_train_op(b, "gannet", "SoftmaxCrossEntropyLoss", in, 3, &smoothing, 1);
}

/* Marks the head's weights while the graph is still the model alone. */
static gn_status find_head(gn_train_builder *b)
{
    int *layers = NULL, n_layers = 0;
    const int n_values = gn_graph_value_count(b->g);
    b->is_head = gn_calloc((size_t)n_values + 1, sizeof *b->is_head);
    if (!b->is_head)
        return GN_ENOMEM;
    GN_TRY(gn_train_layers(b->g, &layers, &n_layers));
    for (int v = 0; v < n_values; v++)
        b->is_head[v] = gn_train_is_head(b->g, v, layers, n_layers);
    gn_free(layers);
    return GN_OK;
}

static gn_status collect_params(gn_train_builder *b)
{
    int n_values = gn_graph_value_count(b->g);
    size_t n = (size_t)n_values + 1;
    b->params = gn_calloc(n, sizeof *b->params);
    b->grads = gn_calloc(n, sizeof *b->grads);
    b->steps = gn_calloc(n, sizeof *b->steps);
    if (!b->params || !b->grads || !b->steps)
        return GN_ENOMEM;
    bool *used = gn_calloc(n, sizeof *used);
    if (!used)
        return GN_ENOMEM;
    for (int i = 0; i < gn_graph_node_count(b->g); i++) {
        const gn_node *node = gn_graph_node(b->g, i);
        for (int k = 0; k < node->n_in; k++)
            if (node->in[k] >= 0)
                used[node->in[k]] = true;
    }
    for (int v = 0; v < n_values; v++)
        if (gn_graph_value(b->g, v)->trainable && used[v])
            b->params[b->n_params++] = v;
    gn_free(used);
    if (b->n_params == 0)
        return gn_fail(b->err, GN_EDATA, "the model has no weights to train");
    return GN_OK;
}

/* The losses know boxes [B,4], boxes with a score [B,5], and logits of classes [B,C]. */
static gn_status check_output(const gn_train_builder *b)
{
    if (gn_graph_output_count(b->g) == 0)
        return gn_fail(b->err, GN_EUNSUPPORTED, "the model has no output to train");
    const gn_shape *shape = &gn_graph_value(b->g, gn_graph_output(b->g, 0))->shape;
    char text[128];
    gn_shape_format(shape, text);
    if (b->is_classifier)
        b->out->n_classes = shape->rank == 2 ? (int)shape->dim[1] : 0;
    if (b->is_classifier)
        return shape->rank == 2 && shape->dim[1] > 0
                   ? GN_OK
                   : gn_fail(b->err, GN_EUNSUPPORTED,
                             "the model's output has the shape %s; [N,classes] of a classifier was expected", text);
    if (shape->rank == 2 && (shape->dim[1] == 4 || shape->dim[1] == 5))
        return GN_OK;
    return gn_fail(b->err, GN_EUNSUPPORTED,
                   "the model's output has the shape %s; [N,4] of a box head or [N,5] of box+score was expected", text);
}

/* loss: what is told; scaled: what is differentiated. */
static gn_status add_loss(gn_train_builder *b, int batch, int *loss, int *scaled)
{
    if (b->is_detector)
        return gn_train_detection_loss(b, batch, loss, scaled);
    *scaled = *loss = b->is_classifier ? class_loss(b, batch) : box_loss(b, batch);
    GN_TRY(gn_graph_error(b->g, b->err));
    return *loss >= 0 ? GN_OK
                      : gn_fail(b->err, GN_EINVAL, "the loss has no term: give l1_gain or iou_gain a value above 0");
}

static gn_status build(gn_train_builder *b, int batch)
{
    int loss = -1, scaled = -1;
    if (!b->is_detector)
        GN_TRY(check_output(b));
    GN_TRY(find_head(b));
    GN_TRY(gn_train_freeze(b->g, &b->rule->freeze, &b->out->n_frozen, b->err));
    GN_TRY(gn_pass_training(b->g, b->err));
    b->out->rng = gn_graph_find_value(b->g, "train.rng");
    GN_TRY(add_loss(b, batch, &loss, &scaled));
    b->out->hyper = gn_train_input(b, GN_HYPER_INPUT, GN_DTYPE_F32, gn_shape_make(1, GN_HYPER_COUNT));
    GN_TRY(collect_params(b));
    GN_TRY(gn_graph_differentiate(b->g, scaled, b->params, b->n_params, b->grads, b->err));
    int kept = 0; /* parameters that the loss depends on */
    for (int i = 0; i < b->n_params; i++)
        if (b->grads[i] >= 0) {
            b->params[kept] = b->params[i];
            b->grads[kept++] = b->grads[i];
        }
    b->n_params = kept;
    gn_attr max_norm = gn_attr_float("max_norm", (float)b->rule->clip_norm);
    int clip = gn_graph_add_node(b->g, "GradClip", "gannet", "clip", b->grads, b->n_params, 2, &max_norm, 1);
    GN_TRY(gn_graph_error(b->g, b->err));
    GN_TRY(gn_train_add_optimizer(b, gn_graph_node(b->g, clip)->out[0]));
    if (b->rule->has_ema)
        GN_TRY(gn_train_add_ema(b));
    gn_graph_clear_outputs(b->g);
    GN_TRY(gn_graph_add_output(b->g, loss));
    GN_TRY(gn_graph_add_output(b->g, gn_graph_node(b->g, clip)->out[1]));
    if (b->parts >= 0)
        GN_TRY(gn_graph_add_output(b->g, b->parts));
    GN_TRY(gn_pass_prune(b->g));
    return gn_pass_fuse(b->g, b->err);
}

gn_status gn_train_graph_build(const gn_graph *model, int batch, int width_px, int height_px, const gn_train_rule *rule,
                               gn_train_graph *out, gn_error *err)
{
    gn_train_graph t = {.images = -1,
                        .target = -1,
                        .has_box = -1,
                        .label = -1,
                        .weight = -1,
                        .truth = -1,
                        .n_truth = -1,
                        .hyper = -1,
                        .rng = -1};
    gn_train_builder b = {.rule = rule,
                          .err = err,
                          .out = &t,
                          .is_classifier = gn_train_is_classifier(model),
                          .is_detector = gn_train_is_detector(model),
                          .parts = -1};
    GN_TRY(gn_graph_clone(model, false, &t.graph));
    b.g = t.graph;
    t.images = gn_graph_input(b.g, 0);
    gn_shape shape = gn_shape_make(4, batch, 3, height_px, width_px);
    gn_status status = b.is_detector ? gn_train_cut_raw(&b) : GN_OK;
    if (status == GN_OK && (status = gn_graph_set_input_shape(b.g, t.images, &shape)) != GN_OK)
        gn_fail(err, status, "the model's input %s is no picture [N,3,H,W]", gn_graph_value(b.g, t.images)->name);
    if (status == GN_OK)
        status = gn_graph_infer(b.g, err);
    if (status == GN_OK)
        status = build(&b, batch);
    gn_free(b.params);
    gn_free(b.grads);
    gn_free(b.steps);
    gn_free(b.is_head);
    if (status != GN_OK) {
        gn_graph_destroy(&t.graph);
        return status;
    }
    *out = t;
    return GN_OK;
}

void gn_train_graph_deinit(gn_train_graph *t)
{
    gn_graph_destroy(&t->graph);
}

gn_status gn_train_memory_of(const gn_graph *model, int batch, int width_px, int height_px, const gn_train_rule *rule,
                             gn_train_memory *out, gn_error *err)
{
    gn_train_graph t;
    gn_plan *plan = NULL;
    GN_TRY(gn_train_graph_build(model, batch, width_px, height_px, rule, &t, err));
    gn_status status = gn_plan_create(t.graph, NULL, &plan, err);
    if (status == GN_OK) {
        gn_train_memory m = {.arena_bytes = plan->arena_bytes};
        for (int v = 0; v < gn_graph_value_count(t.graph); v++) {
            const gn_value *value = gn_graph_value(t.graph, v);
            if (value->kind != GN_VALUE_STATE)
                continue;
            bool own = strncmp(value->name, "optimizer.", 10) == 0 || strncmp(value->name, "ema.", 4) == 0;
            *(own ? &m.optimizer_bytes : &m.weight_bytes) += gn_tensor_bytes(value->data);
        }
        *out = m;
    }
    gn_plan_destroy(&plan);
    gn_train_graph_deinit(&t);
    return status;
}
