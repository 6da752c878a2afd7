/* What a search chooses from: for each option of `gannet train` one value or several; the grid of all combinations is tried.
 * Read from YAML (`lr0: [0.001, 0.01]`, or a range `lr0: {from: 1e-4, to: 1e-2, count: 3, scale: log}`) and from `lr0=1e-3,1e-2`.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_SEARCH_SPACE_H
#define GN_SEARCH_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"

/* Trials that a grid may have, and values of one key. */
#define GN_SPACE_MAX_TRIALS 4096
#define GN_SPACE_MAX_VALUES 1024

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

/* Adds the keys of a YAML file; a key that is there already is replaced.
 * GN_EFORMAT: not YAML, an unknown key or model (the nearest is named), a value of another kind or out of range; with the line. */
gn_status gn_space_read(gn_space *space, const char *path, gn_error *err);
/* Adds or replaces one key from "key=value,value".  GN_EUSAGE. */
gn_status gn_space_set(gn_space *space, const char *assignment, gn_error *err);
/* Value of a key unless it has one already.  GN_EUSAGE. */
gn_status gn_space_set_default(gn_space *space, const char *key, const char *value, gn_error *err);

/* `stages` (or `epochs`, its simplest form), `data`, `target`, `latency`, `objective`: settings that the file gave; else NULL. */
const char *gn_space_setting(const gn_space *space, const char *name);

/* The values of a key in the order given; 0 when it has none. */
size_t gn_space_values(const gn_space *space, const char *key, const char *const **values_out);

/* All combinations as configs (JSON objects of strings, keys in a fixed order), the first key varying slowest, duplicates left out.
 * They live in `arena`.  GN_EINVAL: no model.  GN_ELIMIT: more than GN_SPACE_MAX_TRIALS.  GN_ENOMEM. */
gn_status gn_space_expand(const gn_space *space, gn_arena *arena, const char ***configs_out, size_t *n_out,
                          gn_error *err);
/* The space on one line, the same for the same space: "model=a,b head=box lr0=0.001". */
void gn_space_describe(const gn_space *space, gn_text *out);

/* Value of a key in a config; NULL when it has none.  In `arena`. */
gn_status gn_config_value(const char *config, const char *key, gn_arena *arena, const char **value_out, gn_error *err);

#endif
