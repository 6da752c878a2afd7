/* A small read-only YAML tree (scalars with their line, sequences, maps; anchors and aliases followed) on top of libyaml.  Used for
 * data.yaml, args.yaml and search spaces.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DATA_YAML_DOC_H
#define GN_DATA_YAML_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Limits: text 1 MB, nesting 32, 200,000 nodes after aliases are followed. */
#define GN_YAML_MAX_BYTES (1u << 20)
#define GN_YAML_MAX_DEPTH 32
#define GN_YAML_MAX_NODES 200000

typedef enum gn_yaml_kind {
    GN_YAML_NULL = 0, /* empty, ~ or null, unquoted */
    GN_YAML_SCALAR,
    GN_YAML_SEQUENCE,
    GN_YAML_MAP,
} gn_yaml_kind;

typedef struct gn_yaml gn_yaml;           /* a document */
typedef struct gn_yaml_node gn_yaml_node; /* borrowed from its document */

/* text: n bytes of UTF-8, one document.  name: the file's name for messages; copied.
 * GN_EFORMAT with line, and column in the message: not YAML (a tab as indentation, ...), an alias to nothing or to a node that contains
 * it, a key twice in a map, a key that is no scalar.  GN_ELIMIT.  GN_ENOMEM. */
gn_status gn_yaml_parse(const char *text, size_t n, const char *name, gn_yaml **yaml_out, gn_error *err);
/* Reads and parses a file.  Also GN_ENOENT, GN_EIO. */
gn_status gn_yaml_open(const char *path, gn_yaml **yaml_out, gn_error *err);
void gn_yaml_destroy(gn_yaml **yaml);

/* The top node; GN_YAML_NULL kind for an empty document. */
const gn_yaml_node *gn_yaml_root(const gn_yaml *yaml);
const char *gn_yaml_name(const gn_yaml *yaml);

/* All of these accept NULL as a node that is not there. */
gn_yaml_kind gn_yaml_kind_of(const gn_yaml_node *node);
int64_t gn_yaml_line(const gn_yaml_node *node);   /* 1-based; 0 for NULL */
int64_t gn_yaml_column(const gn_yaml_node *node); /* 1-based, in characters; 0 for NULL */
int64_t gn_yaml_count(const gn_yaml_node *node);  /* items of a sequence, pairs of a map, else 0 */
const gn_yaml_node *gn_yaml_item(const gn_yaml_node *node,
                                 int64_t i);                  /* item of a sequence or value of a map's pair; or NULL */
const char *gn_yaml_key(const gn_yaml_node *map, int64_t i);  /* NULL when there is none */
int64_t gn_yaml_key_line(const gn_yaml_node *map, int64_t i); /* 1-based; 0 when there is none */
int64_t gn_yaml_key_column(const gn_yaml_node *map, int64_t i);
const gn_yaml_node *gn_yaml_find(const gn_yaml_node *map, const char *key); /* NULL when absent */
/* Text of a scalar as written (quotes and escapes resolved); NULL for other kinds. */
const char *gn_yaml_text(const gn_yaml_node *node);
bool gn_yaml_is_quoted(const gn_yaml_node *node); /* a quoted scalar is text, never a number */

/* Typed reading; false when the scalar is something else.  Numbers: decimal, as gn_parse_i64 and gn_parse_f64.
 * Booleans: true/false, yes/no, on/off in any case. */
bool gn_yaml_as_i64(const gn_yaml_node *node, int64_t *out);
bool gn_yaml_as_f64(const gn_yaml_node *node, double *out);
bool gn_yaml_as_bool(const gn_yaml_node *node, bool *out);

/* Value of `key` in `map`; when absent *out stays and GN_OK is returned.  GN_EFORMAT with file and line when it has another type. */
gn_status gn_yaml_get_i64(const gn_yaml *yaml, const gn_yaml_node *map, const char *key, int64_t *out, gn_error *err);
gn_status gn_yaml_get_f64(const gn_yaml *yaml, const gn_yaml_node *map, const char *key, double *out, gn_error *err);
gn_status gn_yaml_get_bool(const gn_yaml *yaml, const gn_yaml_node *map, const char *key, bool *out, gn_error *err);
gn_status gn_yaml_get_text(const gn_yaml *yaml, const gn_yaml_node *map, const char *key, const char **out,
                           gn_error *err);

#endif
