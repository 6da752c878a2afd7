/* The spaces that come with the program (src/search/spaces), by name.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "search/space_internal.h"

extern const unsigned char gn_space_yaml_edge21[], gn_space_yaml_mobile[], gn_space_yaml_tiny[], gn_space_yaml_yolo[];

static const char *const names[] = {"edge21", "mobile", "tiny", "yolo"};
#define N_NAMES (sizeof names / sizeof names[0])
static const unsigned char *const texts[N_NAMES] = {gn_space_yaml_edge21, gn_space_yaml_mobile, gn_space_yaml_tiny,
                                                    gn_space_yaml_yolo};

const char *const *gn_space_names(size_t *n_out)
{
    *n_out = N_NAMES;
    return names;
}

const char *gn_space_named(const char *name)
{
    for (size_t i = 0; i < N_NAMES; i++)
        if (strcmp(names[i], name) == 0)
            return (const char *)texts[i];
    return NULL;
}

gn_status gn_space_refuse_name(const char *name, gn_error *err)
{
    const char *near = gn_nearest(name, names, N_NAMES);
    return gn_fail(err, GN_ENOENT,
                   "reading the space %.200s: there is no such file, and no such space comes with the program (edge21, "
                   "mobile, tiny, yolo)%s%s%s",
                   name, near != NULL ? "; did you mean " : "", near != NULL ? near : "", near != NULL ? "?" : "");
}
