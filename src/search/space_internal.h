/* A space as the files that read, count and print it see it: a domain for each key, and rules that give a key another domain for the
 * models that fit a pattern.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_SEARCH_SPACE_INTERNAL_H
#define GN_SEARCH_SPACE_INTERNAL_H

#include "search/space.h"

typedef enum space_key_kind { SPACE_TEXT, SPACE_CHOICE, SPACE_FLAG, SPACE_INT, SPACE_NUMBER } space_key_kind;

typedef struct space_key {
    const char *name;
    space_key_kind kind;
    double min, max;
    const char *choices; /* "a|b"; NULL: any text */
    bool is_shaping;
} space_key;

enum {
#define SPACE_KEY(name, kind, min, max, choices, shapes) SPACE_KEY_##name,
#include "search/space_keys.def"
#undef SPACE_KEY
    SPACE_N_KEYS
};
extern const space_key gn_space_keys[SPACE_N_KEYS];

/* Where something was read, for messages. */
typedef struct space_place {
    const char *file; /* NULL: command line */
    int64_t line, column;
} space_place;

typedef enum domain_kind {
    DOMAIN_LIST,  /* values without an order */
    DOMAIN_STEPS, /* points of a range */
    DOMAIN_RANGE, /* everything from low to high */
} domain_kind;

/* What a key may be. */
typedef struct space_domain {
    domain_kind kind;
    const char **value; /* LIST, STEPS: [n] in their one spelling */
    size_t n;
    double low, high; /* RANGE; low < high */
    bool is_log, is_whole;
    const char *pattern; /* of a rule; NULL: for all models */
    space_place place;
} space_domain;

/* A key for the models that fit a pattern. */
typedef struct space_rule {
    int key;
    space_domain domain;
    bool has_held; /* fitted a model when it was read */
} space_rule;

#define SPACE_MAX_SETTINGS 24

struct gn_space {
    gn_arena *arena;
    const gn_model_names *models;
    space_domain base[SPACE_N_KEYS]; /* n = 0 and no RANGE: not given */
    bool is_assigned[SPACE_N_KEYS];  /* by gn_space_set */
    space_rule *rules;               /* in the order read; later ones win */
    size_t n_rules, rule_capacity;
    const char *setting[SPACE_MAX_SETTINGS];
    bool is_setting_assigned[SPACE_MAX_SETTINGS];
};

/* --- names (space.c) --- */

/* Index of a key or setting, '-' and '_' alike; -1: none of this name. */
int gn_space_key_index(const char *name, size_t n);
int gn_space_setting_index(const char *name, size_t n);
const char *gn_space_setting_name(int index); /* NULL behind the last */
/* "reading the space: message", with the place. */
gn_status gn_space_refuse(const space_place *at, gn_error *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* An unknown key: why it is none, or the nearest name. */
gn_status gn_space_refuse_key(const char *name, size_t n, const space_place *at, gn_error *err);
/* The only precision there is gives no key. */
gn_status gn_space_check_precision(const char *text, const space_place *at, gn_error *err);
gn_status gn_space_no_memory(gn_error *err);
/* Keeps a setting's value; refuses `epochs` beside `stages`. */
gn_status gn_space_put_setting(gn_space *space, int index, const char *text, const space_place *at, gn_error *err);
/* Every rule must fit one of the models, if there are models. */
gn_status gn_space_check_rules(const gn_space *space, gn_error *err);

/* Neither a file nor the name of a space (space_named.c). */
gn_status gn_space_refuse_name(const char *name, gn_error *err);

/* --- values (space_domain.c) --- */

/* An empty list with room for `capacity` values. */
gn_status gn_space_new_list(gn_space *space, size_t capacity, const space_place *at, space_domain *out, gn_error *err);
/* Appends a value unless the list has it. */
gn_status gn_space_add_value(gn_space *space, int key, space_domain *list, const char *text, const space_place *at,
                             gn_error *err);

typedef struct space_range {
    double from, to, step; /* NaN: not given */
    int64_t count;         /* 0: not given */
    bool is_log;
} space_range;
gn_status gn_space_make_range(gn_space *space, int key, const space_range *range, const space_place *at,
                              space_domain *out, gn_error *err);

bool gn_space_is_given(const space_domain *domain);
/* How many values; INFINITY for real numbers of a range. */
double gn_space_count(const space_domain *domain);
/* Whether there is only one. */
bool gn_space_is_fixed(const space_domain *domain);
/* What key k may be for a model; NULL when it is not given. */
const space_domain *gn_space_domain_of(const gn_space *space, int key, const char *model);
/* The models: value [n] of the first key. */
size_t gn_space_models(const gn_space *space, const char *const **models_out);
/* A number in the spelling of configs; dst holds 40 bytes. */
void gn_space_format_number(const space_domain *domain, double x, char *dst);

#endif
