/* Building the graph of one training step.
 * SPDX-License-Identifier: Apache-2.0 */
#include "train/train_graph.h"

#include <string.h>

#include "backend/backend.h"
#include "graph/autodiff.h"
#include "graph/passes.h"

typedef struct builder {
    gn_graph *g;
    const gn_train_rule *rule;
    gn_error *err;
    gn_train_graph *out;
    bool is_classifier;
    bool *is_head; /* [values of the model] */
    int n_params;
    int *params, *grads, *steps; /* per trainable state: its value, its gradient, its value after the step */
} builder;

static int input(builder *b, const char *name, gn_dtype dtype, gn_shape shape)
{
    return gn_graph_add_input(b->g, name, dtype, &shape);
}

static int op(builder *b, const char *domain, const char *name, const int *in, int n_in, const gn_attr *attrs,
              int n_attrs)
{
    return gn_graph_add_op(b->g, name, domain, name, in, n_in, attrs, n_attrs);
}

/* total + gain*term; total -1: gain*term alone. */
static int add_term(builder *b, int total, int term, double gain)
{
    if (gain != 1.0) {
        const float factor = (float)gain;
        int product[2] = {term, gn_graph_add_const_f32(b->g, "train.gain", 0, &factor)};
        term = op(b, "", "Mul", product, 2, NULL, 0);
    }
    if (total < 0)
        return term;
    const int sum[2] = {total, term};
    return op(b, "", "Add", sum, 2, NULL, 0);
}

/* Splits [B,5] into boxes [B,4] and scores [B]. */
static void split_score(builder *b, int pred, int *boxes, int *score)
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
    *score = op(b, "", "Reshape", reshape, 2, NULL, 0);
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
static void find_predictions(builder *b, int *boxes, int *score)
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
        *score = op(b, "", "Reshape", reshape, 2, NULL, 0);
    } else
        split_score(b, pred, boxes, score);
}

static int box_loss(builder *b, int batch)
{
    const gn_box_loss *loss = &b->rule->loss;
    int boxes, score, total = -1;
    find_predictions(b, &boxes, &score);
    b->out->target = input(b, "train.target", GN_DTYPE_F32, gn_shape_make(2, batch, 4));
    b->out->has_box = input(b, "train.has_box", GN_DTYPE_F32, gn_shape_make(1, batch));
    const int in[3] = {boxes, b->out->target, b->out->has_box};
    if (loss->l1_gain != 0.0) {
        gn_attr beta = gn_attr_float("beta", (float)loss->beta);
        int term = op(b, "gannet", loss->is_mse ? "MSELoss" : "SmoothL1Loss", in, 3, &beta, loss->is_mse ? 0 : 1);
        total = add_term(b, total, term, loss->l1_gain);
    }
    if (loss->iou_gain != 0.0) {
        gn_attr kind = gn_attr_string("kind", loss->iou_kind);
        total = add_term(b, total, op(b, "gannet", "IoULoss", in, 3, &kind, 1), loss->iou_gain);
    }
    if (score >= 0 && loss->score_gain != 0.0) {
        b->out->weight = input(b, "train.weight", GN_DTYPE_F32, gn_shape_make(1, batch));
        const int with_score[3] = {score, b->out->has_box, b->out->weight};
        total = add_term(b, total, op(b, "gannet", "BCEWithLogitsLoss", with_score, 3, NULL, 0), loss->score_gain);
    }
    return total;
}

bool gn_train_is_classifier(const gn_graph *model)
{
    const char *task = gn_graph_meta_get(model, "gannet.task");
    return task && strcmp(task, "classify") == 0;
}

/* Cross entropy of the logits, whether or not the model ends in Softmax. */
static int class_loss(builder *b, int batch)
{
    int logits = gn_graph_output(b->g, 0);
    const int producer = gn_graph_value(b->g, logits)->producer;
    if (producer >= 0 && strcmp(gn_graph_node(b->g, producer)->op->name, "Softmax") == 0)
        logits = gn_graph_node(b->g, producer)->in[0];
    b->out->label = input(b, "train.label", GN_DTYPE_S64, gn_shape_make(1, batch));
    b->out->weight = input(b, "train.weight", GN_DTYPE_F32, gn_shape_make(1, batch));
    const int in[3] = {logits, b->out->label, b->out->weight};
    gn_attr smoothing = gn_attr_float("label_smoothing", (float)b->rule->label_smoothing);
    return op(b, "gannet", "SoftmaxCrossEntropyLoss", in, 3, &smoothing, 1);
}

/* Marks the head's weights while the graph is still the model alone. */
static gn_status find_head(builder *b)
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

static gn_status collect_params(builder *b)
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

/* Zero state beside a parameter: "<prefix>.<parameter>". */
static int companion(builder *b, const char *prefix, int param)
{
    const gn_value *v = gn_graph_value(b->g, param);
    char *name = gn_arena_printf(gn_graph_arena(b->g), "%s.%s", prefix, v->name);
    gn_shape shape = v->shape;
    return name ? gn_graph_add_state(b->g, name, GN_DTYPE_F32, &shape, false) : -1;
}

/* Weight decay spares vectors: biases, and scale and shift of BatchNormalization. */
static double decay_of(const builder *b, int param)
{
    return b->rule->decays_all || gn_graph_value(b->g, param)->shape.rank > 1 ? b->rule->weight_decay : 0.0;
}

/* Attributes of the rule but for the number of parameters and their decays; returns how many. */
static int rule_attrs(const gn_train_rule *rule, gn_attr *attrs)
{
    int n = 0;
    if (rule->optimizer == GN_OPTIMIZER_SGD) {
        attrs[n++] = gn_attr_float("momentum", (float)rule->momentum);
        attrs[n++] = gn_attr_int("nesterov", rule->nesterov);
    } else {
        attrs[n++] = gn_attr_float("beta1", (float)rule->momentum);
        attrs[n++] = gn_attr_float("beta2", (float)rule->beta2);
        attrs[n++] = gn_attr_float("epsilon", (float)rule->epsilon);
        attrs[n++] = gn_attr_int("decoupled", rule->optimizer == GN_OPTIMIZER_ADAMW);
    }
    return n;
}

/* One node that steps `n` parameters; members[i]: their place in b->params.  in, decay: scratch. */
static gn_status step_members(builder *b, const char *name, int hyper, int scale, const int *members, int n, int *in,
                              float *decay)
{
    const gn_train_rule *rule = b->rule;
    const bool sgd = rule->optimizer == GN_OPTIMIZER_SGD;
    const int n_states = sgd ? (rule->momentum != 0.0 ? 1 : 0) : 2;
    in[0] = hyper;
    in[1] = scale;
    for (int i = 0; i < n; i++) {
        const int param = b->params[members[i]];
        in[2 + i] = param;
        in[2 + n + i] = b->grads[members[i]];
        decay[i] = (float)decay_of(b, param);
        for (int s = 0; s < n_states; s++)
            in[2 + (2 + s) * n + i] = companion(b, s == 0 ? "optimizer.m" : "optimizer.v", param);
    }
    gn_attr attrs[8];
    attrs[0] = gn_attr_int("n", n);
    attrs[1] = gn_attr_floats("weight_decay", decay, n);
    const int n_attrs = 2 + rule_attrs(rule, attrs + 2);
    const int node = gn_graph_add_node(b->g, sgd ? "Sgd" : "Adam", "gannet", name, in, 2 + n * (2 + n_states),
                                       n * (1 + n_states), attrs, n_attrs);
    gn_status status = gn_graph_error(b->g, b->err);
    for (int i = 0; i < n && status == GN_OK; i++) {
        const int *result = gn_graph_node(b->g, node)->out;
        b->steps[members[i]] = result[i];
        status = gn_graph_add_update(b->g, b->params[members[i]], result[i]);
        for (int s = 0; s < n_states && status == GN_OK; s++)
            status = gn_graph_add_update(b->g, in[2 + (2 + s) * n + i], result[(1 + s) * n + i]);
    }
    return status;
}

/* "train.hyper" with the rate of the backbone. */
static int backbone_hyper(builder *b)
{
    float factor[GN_HYPER_COUNT];
    for (int i = 0; i < GN_HYPER_COUNT; i++)
        factor[i] = i == GN_HYPER_LR ? (float)b->rule->lr_backbone : 1.0f;
    const int in[2] = {b->out->hyper, gn_graph_add_const_f32(b->g, "train.backbone_factor", GN_HYPER_COUNT, factor)};
    return op(b, "", "Mul", in, 2, NULL, 0);
}

/* All parameters in one node; with a rate of its own the backbone has another. */
static gn_status optimizer(builder *b, int scale)
{
    const size_t n = (size_t)b->n_params;
    int *in = gn_alloc((2 + 4 * n) * sizeof *in), *members = gn_alloc((n + 1) * sizeof *members);
    float *decay = gn_alloc((n + 1) * sizeof *decay);
    gn_status status = in && members && decay ? GN_OK : GN_ENOMEM;
    for (int part = 0; part < 2 && status == GN_OK; part++) { /* 0: the head, or all; 1: the backbone */
        int count = 0;
        for (int i = 0; i < b->n_params; i++) {
            const bool is_backbone = b->rule->has_lr_backbone && !b->is_head[b->params[i]];
            if (is_backbone == (part == 1))
                members[count++] = i;
        }
        if (count > 0)
            status = step_members(b, part ? "optimizer.backbone" : "optimizer",
                                  part ? backbone_hyper(b) : b->out->hyper, scale, members, count, in, decay);
    }
    gn_free(members);
    gn_free(in);
    gn_free(decay);
    return status;
}

/* Averages of weights and of running statistics alike; they begin as copies. */
static gn_status moving_average(builder *b)
{
    int first_updates = gn_graph_update_count(b->g), *in;
    size_t capacity = (size_t)(1 + 2 * first_updates);
    in = gn_alloc(capacity * sizeof *in);
    int *now = gn_alloc(capacity * sizeof *now);
    if (!in || !now) {
        gn_free(in);
        gn_free(now);
        return GN_ENOMEM;
    }
    int *average = in + 1, n = 0;
    in[0] = b->out->hyper;
    for (int i = 0; i < first_updates; i++) {
        int state, value;
        gn_graph_update(b->g, i, &state, &value);
        const gn_value *v = gn_graph_value(b->g, state);
        if (strncmp(v->name, "optimizer.", 10) == 0)
            continue;
        average[n] = companion(b, "ema", state);
        now[n++] = value;
        if (average[n - 1] >= 0)
            memcpy(gn_graph_value(b->g, average[n - 1])->data->data, gn_graph_value(b->g, state)->data->data,
                   gn_tensor_bytes(gn_graph_value(b->g, state)->data));
    }
    memcpy(average + n, now, (size_t)n * sizeof *now);
    gn_attr count = gn_attr_int("n", n);
    int node = gn_graph_add_node(b->g, "Ema", "gannet", "ema", in, 1 + 2 * n, n, &count, 1);
    gn_status status = gn_graph_error(b->g, b->err);
    for (int i = 0; i < n && status == GN_OK; i++)
        status = gn_graph_add_update(b->g, average[i], gn_graph_node(b->g, node)->out[i]);
    gn_free(in);
    gn_free(now);
    return status;
}

/* The losses know boxes [B,4], boxes with a score [B,5], and logits of classes [B,C]. */
static gn_status check_output(const builder *b)
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

static gn_status build(builder *b, int batch)
{
    GN_TRY(check_output(b));
    GN_TRY(find_head(b));
    GN_TRY(gn_train_freeze(b->g, &b->rule->freeze, &b->out->n_frozen, b->err));
    GN_TRY(gn_pass_training(b->g, b->err));
    b->out->rng = gn_graph_find_value(b->g, "train.rng");
    int loss = b->is_classifier ? class_loss(b, batch) : box_loss(b, batch);
    GN_TRY(gn_graph_error(b->g, b->err));
    if (loss < 0)
        return gn_fail(b->err, GN_EINVAL, "the loss has no term: give l1_gain or iou_gain a value above 0");
    b->out->hyper = input(b, GN_HYPER_INPUT, GN_DTYPE_F32, gn_shape_make(1, GN_HYPER_COUNT));
    GN_TRY(collect_params(b));
    GN_TRY(gn_graph_differentiate(b->g, loss, b->params, b->n_params, b->grads, b->err));
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
    GN_TRY(optimizer(b, gn_graph_node(b->g, clip)->out[0]));
    if (b->rule->has_ema)
        GN_TRY(moving_average(b));
    gn_graph_clear_outputs(b->g);
    GN_TRY(gn_graph_add_output(b->g, loss));
    GN_TRY(gn_graph_add_output(b->g, gn_graph_node(b->g, clip)->out[1]));
    GN_TRY(gn_pass_prune(b->g));
    return gn_pass_fuse(b->g, b->err);
}

gn_status gn_train_graph_build(const gn_graph *model, int batch, int width_px, int height_px, const gn_train_rule *rule,
                               gn_train_graph *out, gn_error *err)
{
    gn_train_graph t = {.images = -1, .target = -1, .has_box = -1, .label = -1, .weight = -1, .hyper = -1, .rng = -1};
    builder b = {.rule = rule, .err = err, .out = &t, .is_classifier = gn_train_is_classifier(model)};
    GN_TRY(gn_graph_clone(model, false, &t.graph));
    b.g = t.graph;
    t.images = gn_graph_input(b.g, 0);
    gn_shape shape = gn_shape_make(4, batch, 3, height_px, width_px);
    gn_status status = gn_graph_set_input_shape(b.g, t.images, &shape);
    if (status != GN_OK)
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
