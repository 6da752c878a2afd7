/* What cli_args.c and cli_args_text.c share: the parsed form of a command line.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_ARGS_INTERNAL_H
#define GN_CLI_ARGS_INTERNAL_H

#include "base/memory.h"
#include "cli/cli_args.h"

#define GN_ARGS_N_BUILTIN 3

/* Where a value came from; later ones win. */
typedef enum gn_args_rank { GN_ARGS_NONE = 0, GN_ARGS_DEFAULT, GN_ARGS_ENV, GN_ARGS_CFG, GN_ARGS_CLI } gn_args_rank;

typedef struct gn_args_value {
    gn_args_rank rank;
    const char *text; /* as given; for a list the last part */
    bool flag;
    int64_t whole;
    double number;
    const char **items;
    size_t n_items, items_capacity;
} gn_args_value;

struct gn_args {
    const gn_args_spec *spec;
    int argc;
    char **argv;
    gn_arena *arena;
    gn_args_value *values; /* one per option of the table, then the built-in ones */
    const char **positional;
    int n_positional;
};

extern const gn_opt gn_args_builtin[GN_ARGS_N_BUILTIN];
size_t gn_args_n_options(const gn_args_spec *spec);
const gn_opt *gn_args_option(const gn_args_spec *spec, size_t i);
/* Takes the next word of "a|b|c" off *choices; false at the end. */
bool gn_args_next_choice(const char **choices, char *word, size_t word_bytes);

#endif
