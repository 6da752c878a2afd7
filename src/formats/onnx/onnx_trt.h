/* Inner parts of the check for TensorRT 8.2.  Not for other folders.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_FORMATS_ONNX_ONNX_TRT_H
#define GN_FORMATS_ONNX_ONNX_TRT_H

#include "formats/onnx/onnx_check_trt.h"
#include "formats/onnx/onnx_scan.h"

/* Element types as TensorRT has them. */
enum { TRT_F = 1, TRT_H = 2, TRT_I = 4, TRT_8 = 8, TRT_B = 16 };
#define TRT_FH (TRT_F | TRT_H)

/* What is known of a value before the network is built. */
typedef struct gn_trt_value {
    const char *name;
    int32_t type;                     /* ONNX's number; 0: not known */
    int rank;                         /* -1: not known */
    const Onnx__TensorProto *weights; /* contents in the file, or NULL: computed or fed */
    const char *producer;             /* operator; NULL: none */
} gn_trt_value;

typedef struct gn_trt_check {
    gn_arena *arena;
    bool failed; /* out of memory */
    int opset;
    gn_trt_value *values; /* sorted by name */
    size_t n_values;
    gn_trt_finding *findings;
    size_t n_findings, cap_findings;
    size_t n_nodes;
    const Onnx__NodeProto *node; /* being judged; NULL: the model */
} gn_trt_check;

/* Records something about the node being judged, or about `name`. */
void gn_trt_find(gn_trt_check *c, gn_trt_level level, const char *name, const char *fix, const char *what, ...)
    __attribute__((format(printf, 5, 6)));

/* ---- what rules ask (about c->node) ---- */

gn_trt_value *gn_trt_lookup(const gn_trt_check *c, const char *name); /* NULL when there is none */
bool gn_trt_has_in(const gn_trt_check *c, size_t i);
const gn_trt_value *gn_trt_in(const gn_trt_check *c, size_t i); /* NULL: left out or unknown */
/* The bit of an ONNX element type as the parser casts it; 0: it has none. */
int gn_trt_type_bit(int32_t onnx_type);
const char *gn_trt_type_name(int32_t onnx_type);

const Onnx__AttributeProto *gn_trt_attr(const gn_trt_check *c, const char *name); /* NULL when absent */
int64_t gn_trt_int(const gn_trt_check *c, const char *name, int64_t fallback);
/* Is the text attribute (of that default) this word? */
bool gn_trt_is(const gn_trt_check *c, const char *name, const char *fallback, const char *word);

/* Contents of stored numbers; count -1: they lie elsewhere, or are of a type that is not read. */
int64_t gn_trt_count(const Onnx__TensorProto *t);
double gn_trt_number(const Onnx__TensorProto *t, int64_t i);

/* ---- operators (onnx_trt_rules.c) ---- */

/* Judges c->node; false: no importer has that name. */
bool gn_trt_judge(gn_trt_check *c);
/* Says what to do about an operator that no importer has. */
void gn_trt_judge_unknown(gn_trt_check *c);

#endif
