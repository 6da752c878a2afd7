/* The end of a training step's graph: the optimiser and the moving average.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/text.h"
#include "train/train_builder.h"

/* Zero state beside a parameter: "<prefix>.<parameter>". */
static int companion(gn_train_builder *b, const char *prefix, int param)
{
    const gn_value *v = gn_graph_value(b->g, param);
    char *name = gn_arena_printf(gn_graph_arena(b->g), "%s.%s", prefix, v->name);
    gn_shape shape = v->shape;
    return name ? gn_graph_add_state(b->g, name, GN_DTYPE_F32, &shape, false) : -1;
}

/* Weight decay spares vectors: biases, and scale and shift of BatchNormalization. */
static double decay_of(const gn_train_builder *b, int param)
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
static gn_status step_members(gn_train_builder *b, const char *name, int hyper, int scale, const int *members, int n,
                              int *in, float *decay)
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

/* "train.hyper" for one part of the parameters: with the rate of biases, with that of the backbone. */
static int part_hyper(gn_train_builder *b, bool is_bias, bool is_backbone)
{
    int hyper = b->out->hyper;
    if (is_bias) {
        int64_t from[GN_HYPER_COUNT];
        for (int i = 0; i < GN_HYPER_COUNT; i++)
            from[i] = i == GN_HYPER_LR ? GN_HYPER_BIAS_LR : i;
        const int in[2] = {hyper, gn_graph_add_const_s64(b->g, "train.bias_hyper", GN_HYPER_COUNT, from)};
        hyper = gn_train_op(b, "", "Gather", in, 2, NULL, 0);
    }
    if (!is_backbone)
        return hyper;
    float factor[GN_HYPER_COUNT];
    for (int i = 0; i < GN_HYPER_COUNT; i++)
        factor[i] = i == GN_HYPER_LR ? (float)b->rule->lr_backbone : 1.0f;
    const int in[2] = {hyper, gn_graph_add_const_f32(b->g, "train.backbone_factor", GN_HYPER_COUNT, factor)};
    return gn_train_op(b, "", "Mul", in, 2, NULL, 0);
}

static bool is_bias(const gn_train_builder *b, int param)
{
    return gn_has_suffix(gn_graph_value(b->g, param)->name, ".bias");
}

/* All parameters in one node; backbone and biases in nodes of their own where their rates differ. */
gn_status gn_train_add_optimizer(gn_train_builder *b, int scale)
{
    static const char *const names[4] = {"optimizer", "optimizer.backbone", "optimizer.bias",
                                         "optimizer.backbone_bias"};
    const size_t n = (size_t)b->n_params;
    int *in = gn_alloc((2 + 4 * n) * sizeof *in), *members = gn_alloc((n + 1) * sizeof *members);
    float *decay = gn_alloc((n + 1) * sizeof *decay);
    gn_status status = in && members && decay ? GN_OK : GN_ENOMEM;
    for (int part = 0; part < 4 && status == GN_OK; part++) { /* bit 0: of the backbone, bit 1: biases */
        int count = 0;
        for (int i = 0; i < b->n_params; i++) {
            const bool of_backbone = b->rule->has_lr_backbone && !b->is_head[b->params[i]];
            const bool of_biases = b->rule->has_lr_bias && is_bias(b, b->params[i]);
            if (of_backbone + 2 * of_biases == part)
                members[count++] = i;
        }
        if (count > 0)
            status = step_members(b, names[part], part_hyper(b, part / 2, part % 2), scale, members, count, in, decay);
    }
    gn_free(members);
    gn_free(in);
    gn_free(decay);
    return status;
}

/* Averages of weights and of running statistics alike; they begin as copies. */
gn_status gn_train_add_ema(gn_train_builder *b)
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
