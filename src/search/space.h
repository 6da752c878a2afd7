/* What a search chooses from: for each option of `gannet train` one value, several, or a range; some only for certain models.
 * A config is one choice from it, as a JSON object of strings; a point is the same choice as numbers, as the samplers see it.
 * Read from YAML (`lr0: [0.001, 0.01]`, `lr0: {from: 1e-4, to: 1e-2, scale: log}`) and from `lr0=1e-3,1e-2`, `lr0=1e-4..1e-2:log`.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_SEARCH_SPACE_H
#define GN_SEARCH_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "search/params.h"

/* Trials that a grid may have, values of one key, networks of a space, and keys given for patterns of models. */
#define GN_SPACE_MAX_TRIALS   4096
#define GN_SPACE_MAX_VALUES   1024
#define GN_SPACE_MAX_NETWORKS 4096
#define GN_SPACE_MAX_RULES    1024

typedef struct gn_space gn_space;

/* Which models there are, for messages: whether a name is one, and names to suggest.  An ONNX file is always taken. */
typedef struct gn_model_names {
    bool (*is_known)(const char *name);
    const char *const *names;
    size_t n_names;
} gn_model_names;

/* models: borrowed; NULL: any name is taken.  GN_ENOMEM. */
gn_status gn_space_create(const gn_model_names *models, gn_space **space_out);
void gn_space_destroy(gn_space **space);

/* Adds the keys of a YAML file, or, where there is no such file, of the space of this name that comes with the program; a key that is
 * there already is replaced.  After a failure the space is not to be used.
 * GN_EFORMAT, with line and column: not YAML, an unknown key or model (the nearest is named), a value of another kind or out of range, a
 * key twice, an empty list or range, a pattern of `per_model` that fits none of the models. */
gn_status gn_space_read(gn_space *space, const char *path, gn_error *err);
/* The text of a file, or of the space of that name; *text_out: in `arena`, or static.  GN_ENOENT, GN_EFORMAT, what reading a file gives. */
gn_status gn_space_load(const char *path, gn_arena *arena, const char **text_out, gn_error *err);
/* As gn_space_read from n bytes of text; name: for messages. */
gn_status gn_space_parse(gn_space *space, const char *text, size_t n, const char *name, gn_error *err);
/* Adds or replaces one key, for all models, from "key=value,value" or "key=FROM..TO[:log|:linear][:count=N|:step=X]".
 * GN_EUSAGE, also for a key that was assigned before. */
gn_status gn_space_set(gn_space *space, const char *assignment, gn_error *err);
/* Value of a key unless it has one already.  GN_EUSAGE. */
gn_status gn_space_set_default(gn_space *space, const char *key, const char *value, gn_error *err);

/* A setting that the file or an assignment gave (`stages`, `epochs`, `min_epochs`, `eta`, `stop`, `sampler`, `trials`, `data`, `target`,
 * `latency`, `memory`, `size`, `energy`, `objective`, `time`, `jobs`, `seed`, `promote`); else NULL.  `seed` is a setting while it
 * has one value; with several it is a key. */
const char *gn_space_setting(const gn_space *space, const char *name);

/* The values of a key for all models, in the order given; 0 when it has none or is a range without points. */
size_t gn_space_values(const gn_space *space, const char *key, const char *const **values_out);
/* Whether a key can differ between two configs. */
bool gn_space_varies(const gn_space *space, const char *key);

/* What the samplers see.  params_out: [n], first the model; keys with one value have none.  A key whose values depend on the model has a
 * parameter for each group of models, named like "lr0[mobilenet_v2*]", with the model as its parent.  A list is a CHOICE, a range with
 * count or step an INT that numbers its points, any other range INT or REAL.  All in `arena`.
 * GN_EINVAL: no model, or a pattern of `per_model` that fits none.  GN_ENOMEM. */
gn_status gn_space_params(const gn_space *space, gn_arena *arena, const gn_param **params_out, size_t *n_out,
                          gn_error *err);
/* The config of a point [n_params]: a JSON object of strings, keys in a fixed order, one spelling for each value; in `arena`.
 * Numbers are rounded to 6 digits.  GN_EINVAL: a value outside its parameter.  GN_ENOMEM. */
gn_status gn_space_config(const gn_space *space, const double *point, gn_arena *arena, const char **config_out,
                          gn_error *err);
/* The point of a config.  GN_EINVAL: it is not of this space (which key, which value).  GN_ENOMEM. */
gn_status gn_space_point(const gn_space *space, const char *config, gn_arena *arena, const double **point_out,
                         gn_error *err);

/* Whether it has a last config, and how many there are; INFINITY when not. */
bool gn_space_is_finite(const gn_space *space);
double gn_space_size(const gn_space *space);

/* What a latency belongs to: the keys that shape the network. */
typedef struct gn_space_network {
    const char *config; /* JSON object of those keys */
    const char *model, *head;
    int64_t imgsz;
    const char *variant; /* the others that the space gives, "activation=silu labels=coarse"; "" without */
} gn_space_network;

/* Whether a key shapes the network: then `gannet bench` and `gannet info` take it as an option, too (`labels` as --classes). */
bool gn_space_key_shapes(const char *key);
/* The network of a config; in `arena`.  GN_EINVAL: no model, head or imgsz. */
gn_status gn_config_network(const char *config, gn_arena *arena, gn_space_network *network_out, gn_error *err);
/* All distinct networks, in the order of models.  GN_EINVAL: no model, head or imgsz.  GN_ELIMIT.  GN_ENOMEM. */
gn_status gn_space_networks(const gn_space *space, gn_arena *arena, gn_space_network **networks_out, size_t *n_out,
                            gn_error *err);

/* All combinations as configs, the first key varying slowest, duplicates left out; in `arena`.
 * GN_EINVAL: no model, or a range without points (named, with the remedy).  GN_ELIMIT: more than GN_SPACE_MAX_TRIALS.  GN_ENOMEM. */
gn_status gn_space_expand(const gn_space *space, gn_arena *arena, const char ***configs_out, size_t *n_out,
                          gn_error *err);

/* The space on one line, the same for the same space: "model=a,b head=box lr0=0.0001..0.01:log lr0[yolo*]=0.001". */
void gn_space_describe(const gn_space *space, gn_text *out);
/* The space for people: keys with values and ranges, those of certain models, how many configs and networks; several lines.
 * epochs: of one trial that is trained to the end, 0 when unknown. */
void gn_space_print(const gn_space *space, int epochs, gn_text *out);

/* The spaces that come with the program: YAML text by name (NULL: none of this name), and the names. */
const char *gn_space_named(const char *name);
const char *const *gn_space_names(size_t *n_out);

/* Value of a key in a config; NULL when it has none.  In `arena`. */
gn_status gn_config_value(const char *config, const char *key, gn_arena *arena, const char **value_out, gn_error *err);

#endif
