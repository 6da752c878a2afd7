/* libFuzzer target for the two texts that a data set is made of: label files and YAML.  The first byte chooses: 'Y' a YAML document,
 * whose tree is then walked; anything else a label file for that many classes (0: any).
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "data/dataset_private.h"
#include "data/yaml_doc.h"

/* Walks a tree without following what an alias repeats more often than the reader's own limit allows. */
static int64_t walk(const gn_yaml_node *node)
{
    int64_t n = 1, whole;
    double number;
    bool flag;
    if (gn_yaml_as_i64(node, &whole) && !gn_yaml_as_f64(node, &number))
        abort();
    gn_yaml_as_bool(node, &flag);
    for (int64_t i = 0; i < gn_yaml_count(node); i++) {
        const char *key = gn_yaml_key(node, i);
        if (gn_yaml_kind_of(node) == GN_YAML_MAP && gn_yaml_count(node) < 100 &&
            gn_yaml_find(node, key) != gn_yaml_item(node, i))
            abort();
        n += walk(gn_yaml_item(node, i));
    }
    return n;
}

static void fuzz_yaml(const char *text, size_t n)
{
    gn_yaml *yaml = NULL;
    gn_error err;
    gn_error_clear(&err);
    if (gn_yaml_parse(text, n, "fuzz.yaml", &yaml, &err) != GN_OK) {
        if (yaml != NULL || err.message[0] == '\0')
            abort();
        return;
    }
    if (walk(gn_yaml_root(yaml)) > GN_YAML_MAX_NODES + 1)
        abort();
    gn_yaml_destroy(&yaml);
}

static void fuzz_labels(const char *text, size_t n, int n_classes)
{
    gn_labels labels = {0};
    const gn_status status = gn_labels_parse(text, n, n_classes, &labels);
    if (status != GN_OK && status != GN_ELIMIT)
        abort();
    for (int i = 0; i < labels.n; i++) {
        const gn_box *b = &labels.box[i];
        if (!(b->x1 >= 0 && b->x1 < b->x2 && b->x2 <= 1 && b->y1 >= 0 && b->y1 < b->y2 && b->y2 <= 1))
            abort();
        if (labels.cls[i] < 0 || (n_classes > 0 && labels.cls[i] >= n_classes))
            abort();
    }
    gn_labels_deinit(&labels);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    /* Both readers want a NUL behind the last byte, as gn_file_read leaves one. */
    char *text = malloc(size);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    if (data[0] == 'Y')
        fuzz_yaml(text, size - 1);
    else
        fuzz_labels(text, size - 1, data[0] % 32);
    free(text);
    return 0;
}
