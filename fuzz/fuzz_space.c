/* Fuzzes search spaces: whatever text comes, a space that is accepted has parameters, and each of its configs comes back as its point.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "search/space.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

/* The lowest value of every parameter that applies to model m. */
static void first_point(const gn_param *params, size_t n, double m, double *point)
{
    for (size_t i = 0; i < n; i++)
        point[i] = params[i].parent == 0 && !params[i].when[(size_t)m] ? NAN
                   : i == 0                                            ? m
                   : params[i].kind == GN_PARAM_CHOICE                 ? 0
                                                                       : params[i].low;
}

static void use(const gn_space *space, gn_arena *arena)
{
    const gn_param *params = NULL;
    const char **configs = NULL;
    gn_space_network *networks = NULL;
    size_t n = 0, n_configs = 0, n_networks = 0;
    gn_text text;
    gn_text_init(&text);
    gn_space_describe(space, &text);
    gn_space_print(space, 3, &text);
    gn_text_deinit(&text);
    if (gn_space_params(space, arena, &params, &n, NULL) != GN_OK)
        return;
    double *point = gn_arena_alloc(arena, n * sizeof *point);
    must(point != NULL);
    for (double m = 0; m < params[0].n_choices && m < 20; m++) {
        const char *config = NULL, *again = NULL;
        const double *back = NULL;
        first_point(params, n, m, point);
        must(gn_space_config(space, point, arena, &config, NULL) == GN_OK);
        must(gn_space_point(space, config, arena, &back, NULL) == GN_OK);
        must(gn_space_config(space, back, arena, &again, NULL) == GN_OK && strcmp(config, again) == 0);
    }
    const double size = gn_space_size(space);
    if (gn_space_expand(space, arena, &configs, &n_configs, NULL) == GN_OK)
        must((double)n_configs == size);
    gn_space_networks(space, arena, &networks, &n_networks, NULL);
}

/* The text up to a NUL is YAML; what follows is an assignment. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gn_space *space = NULL;
    gn_arena *arena = gn_arena_create(0);
    gn_error err;
    gn_error_clear(&err);
    char *text = malloc(size + 1);
    if (size > 4096 || arena == NULL || text == NULL || gn_space_create(NULL, &space) != GN_OK) {
        gn_arena_destroy(&arena);
        free(text);
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    const size_t n = strlen(text);
    const gn_status status = gn_space_parse(space, text, n, "fuzz.yaml", &err);
    must((status == GN_OK) == (err.message[0] == '\0'));
    if (status == GN_OK && (n == size || gn_space_set(space, text + n + 1, &err) == GN_OK))
        use(space, arena);
    gn_space_destroy(&space);
    gn_arena_destroy(&arena);
    free(text);
    return 0;
}
