/* How the CPU backend holds a compiled graph: one prepared step per node, and a table of handlers by operator.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_BACKEND_CPU_INTERNAL_H
#define GN_BACKEND_CPU_INTERNAL_H

#include "backend/backend.h"
#include "base/pool.h"
#include "kernels/batchnorm.h"
#include "kernels/conv.h"
#include "kernels/pooling.h"

struct gn_device {
    gn_pool *pool;
    int n_threads;
    unsigned char *arena; /* shared by all execs of the device */
    size_t arena_bytes;
    unsigned char *scratch; /* n_threads blocks of scratch_bytes each */
    size_t scratch_bytes;
    float *zeros; /* n_zeros floats of 0 */
    size_t n_zeros;
};

typedef struct gn_cpu_step gn_cpu_step;

/* Element types of the inputs that a handler takes; for others the reference runs. */
typedef enum gn_cpu_types {
    GN_CPU_TYPES_F32 = 0,   /* all f32 */
    GN_CPU_TYPES_F32_FIRST, /* the first f32; the shape rule has checked the others */
    GN_CPU_TYPES_ALIKE,     /* any, all the same */
    GN_CPU_TYPES_ANY,
} gn_cpu_types;

#define GN_CPU_ALL_OPERANDS UINT32_MAX

/* What a handler knows about a node before memory is planned. */
typedef struct gn_cpu_op {
    const char *domain, *name;
    /* Bytes that live for this step only, in the arena; NULL: none. */
    size_t (*step_scratch)(const gn_graph *graph, const gn_node *node);
    /* Fills the step's sizes, packs what is constant; NULL: nothing to prepare. */
    gn_status (*prepare)(gn_exec *exec, gn_cpu_step *step, gn_error *err);
    void (*run)(gn_exec *exec, const gn_cpu_step *step);
    bool (*takes_plain)(const gn_graph *graph, const gn_node *node, int i); /* NULL: never */
    /* Bit i: input (output) i may be a slice, see gn_cpu_stride. */
    uint32_t slices_in, slices_out;
    gn_cpu_types types;
    bool (*takes)(const gn_graph *graph,
                  const gn_node *node); /* false: the reference runs; NULL: every node of its types */
    /* As in gn_backend; NULL: there is no choice, and nothing to tell. */
    void (*kernel)(const gn_cpu_step *step, gn_step_kernel *kernel_out);
    int (*choices)(const gn_exec *exec, const gn_cpu_step *step, gn_step_kernel *choices, int max);
    gn_status (*choose)(gn_exec *exec, gn_cpu_step *step, const char *name, gn_error *err);
} gn_cpu_op;

struct gn_cpu_step {
    const gn_cpu_op *op;
    const gn_node *node;
    size_t scratch_offset; /* into the arena */
    size_t thread_bytes;   /* scratch that each thread needs */
    void *packed;          /* owned: weights packed at compile time, or NULL */
    size_t packed_bytes;
    void *detail; /* owned: prepared by the handler */
    union {
        gn_conv conv;
        gn_window window;
        gn_bn bn;
    } p;
    gn_clamp clamp;
    bool is_depthwise, src_is_plain, packs_each_run;
    int product; /* cpu_linear.c: which product of matrices */
};

struct gn_exec {
    gn_device *device;
    gn_graph *graph;
    gn_plan *plan;
    gn_cpu_step *steps;
    const void **bound; /* per value: memory of INPUT values */
    int *root;          /* per value: the value whose memory it lies in */
    bool *changes;      /* per value: a STATE that this graph updates */
    gn_status status;   /* of the step that runs: what its reference said */
};

/* Choices of a step whose forward convolution is step->p.conv.  check: the choice of that name; GN_EINVAL when the sizes have none. */
void gn_cpu_conv_kernel(const gn_cpu_step *step, gn_step_kernel *kernel_out);
int gn_cpu_conv_choices(const gn_exec *exec, const gn_cpu_step *step, gn_step_kernel *choices, int max);
gn_status gn_cpu_conv_check_choice(const gn_exec *exec, const gn_cpu_step *step, const char *name,
                                   gn_conv_choice *choice_out, gn_error *err);
gn_status gn_cpu_measure_peak(gn_device *device, gn_device_peak *peak_out, gn_error *err);

/* Handler of an operator; the reference handler when there is no better one. */
const gn_cpu_op *gn_cpu_op_find(const gn_graph *graph, const gn_node *node);
/* The handler of that name, whatever nodes it takes; NULL: there is none but the reference. */
const gn_cpu_op *gn_cpu_op_named(const char *domain, const char *name);

/* Memory of a value during a run; NULL for -1. */
void *gn_cpu_ptr(const gn_exec *exec, int value);
/* Input or output i of a step; NULL when left out. */
void *gn_cpu_in(const gn_exec *exec, const gn_cpu_step *step, int i);
void *gn_cpu_out(const gn_exec *exec, const gn_cpu_step *step, int i);
const gn_shape *gn_cpu_shape(const gn_exec *exec, int value);
int64_t gn_cpu_elements(const gn_exec *exec, int value);
/* Of a value whose channels are a slice of a larger N,H,W,C picture: elements from a pixel to the next; 0: dense. */
int gn_cpu_stride(const gn_exec *exec, int value);
void *gn_cpu_step_scratch(const gn_exec *exec, const gn_cpu_step *step);
void *gn_cpu_thread_scratch(const gn_exec *exec, int thread);
/* Contents may differ from run to run of this graph: what it computes, inputs, and states that it updates.  For handlers that have no
 * exec yet. */
bool gn_cpu_value_changes(const gn_graph *graph, int value);
/* Contents never change while this graph runs. */
bool gn_cpu_is_fixed(const gn_exec *exec, int value);
/* Physical dimensions of a value: its logical shape, permuted to N,H,W,C where it is laid out so. */
gn_shape gn_cpu_physical(const gn_exec *exec, int value);
/* The same for an operand of an elementwise operator on N,H,W,C memory: lower ranks are filled up with ones in front. */
gn_shape gn_cpu_permuted(const gn_exec *exec, int value, bool is_nhwc);

/* lo/hi attributes. */
gn_clamp gn_cpu_clamp_of(const gn_node *node);

/* out0 = in0 op in1 for operands that broadcast in any way. */
typedef enum gn_cpu_binary {
    GN_CPU_ADD,
    GN_CPU_SUB,
    GN_CPU_MUL,
    GN_CPU_DIV,
    GN_CPU_MAX,
    GN_CPU_MIN,
    GN_CPU_POW
} gn_cpu_binary;
void gn_cpu_run_broadcast(gn_exec *exec, const gn_cpu_step *step, gn_cpu_binary op);

/* Copies `rows` rows of `width` floats; strides: floats from a row to the next. */
void gn_cpu_copy_rows(const gn_exec *exec, const float *src, size_t src_stride, float *dst, size_t dst_stride,
                      size_t width, size_t rows);

/* Runs fn over [0,n) in chunks of `chunk` elements. */
typedef void (*gn_cpu_range_fn)(void *ctx, size_t begin, size_t end);
void gn_cpu_for_range(const gn_exec *exec, size_t n, size_t chunk, gn_cpu_range_fn fn, void *ctx);
#define GN_CPU_CHUNK ((size_t)16384)

extern const gn_cpu_op *const gn_cpu_conv_ops[];
extern const gn_cpu_op *const gn_cpu_linear_ops[];
extern const gn_cpu_op *const gn_cpu_norm_ops[];
extern const gn_cpu_op *const gn_cpu_pool_ops[];
extern const gn_cpu_op *const gn_cpu_elementwise_ops[];
extern const gn_cpu_op *const gn_cpu_map_ops[];
extern const gn_cpu_op *const gn_cpu_broadcast_ops[];
extern const gn_cpu_op *const gn_cpu_reduce_ops[];
extern const gn_cpu_op *const gn_cpu_move_ops[];
extern const gn_cpu_op *const gn_cpu_optimizer_ops[];
extern const gn_cpu_op *const gn_cpu_strided_ops[];
extern const gn_cpu_op *const gn_cpu_resize_ops[];
extern const gn_cpu_op *const gn_cpu_transposed_ops[];
extern const gn_cpu_op *const gn_cpu_select_ops[];
extern const gn_cpu_op *const gn_cpu_quantize_ops[];
extern const gn_cpu_op *const gn_cpu_instance_ops[];
extern const gn_cpu_op *const gn_cpu_detection_ops[];
extern const gn_cpu_op *const gn_cpu_detect_ops[];
extern const gn_cpu_op *const gn_cpu_dropout_ops[];
extern const gn_cpu_op gn_cpu_reference_op;

#endif
