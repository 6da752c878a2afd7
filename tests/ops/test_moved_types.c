/* Operators that only move data do so for every element type: the results are those of f32.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "ops/interpret.h"
#include "ops/ops.h"

/* Zeros and ones, so that bool holds them, too; no row or column is like another. */
#define X "0 1 1 0 0 0 1 1 0 1 0 0"
#define U "1 0 1 1"

/* Constants and one node; x is [3,4] and u is [2,2], both of type T. */
static const char *const movers[] = {
    "const 'b' s64 [2] = 2 0\nconst 'e' s64 [2] = -9 4\nconst 'a' s64 [2] = 0 1\nconst 's' s64 [2] = -1 3\n"
    "node 'Slice' '' 'n' ('x' 'b' 'e' 'a' 's') -> ('y')",
    "const 'i' s64 [2] = 2 0\nnode 'Gather' '' 'n' ('x' 'i') -> ('y')",
    "const 'i' s32 [1,4] = 2 0 1 -1\nnode 'GatherElements' '' 'n' ('x' 'i') -> ('y')",
    "const 'i' s64 [2,1] = 2 -2\nnode 'GatherND' '' 'n' ('x' 'i') -> ('y')",
    "const 'i' s64 [2,2] = 2 1 0 -1\nnode 'ScatterElements' '' 'n' ('x' 'i' 'u') -> ('y') {axis: int 1}",
    "const 'i' s64 [4,2] = 2 1 0 0 1 3 0 1\nconst 'f' s64 [1] = 4\nnode 'Reshape' '' 'r' ('u' 'f') -> ('v')\n"
    "node 'ScatterND' '' 'n' ('x' 'i' 'v') -> ('y')",
    "const 's' s64 [3] = 2 3 4\nnode 'Expand' '' 'n' ('x' 's') -> ('y')",
    "const 's' s64 [2] = 2 2\nnode 'Tile' '' 'n' ('x' 's') -> ('y')",
    "const 'p' s64 [4] = 1 0 0 2\nnode 'Pad' '' 'n' ('x' 'p') -> ('y')",
    "const 'p' s64 [4] = 1 3 2 2\nnode 'Pad' '' 'n' ('x' 'p') -> ('y') {mode: string 'reflect'}",
    "const 'c' bool [4] = 0 1 0 1\nconst 'b' s64 [1] = 1\nnode 'Gather' '' 'g' ('x' 'b') -> ('r')\n"
    "node 'Where' '' 'n' ('c' 'x' 'r') -> ('y')",
    "const 's' s64 [4] = 1 1 3 4\nnode 'Reshape' '' 'r' ('x' 's') -> ('v')\n"
    "const 'b' s64 [4] = 1 3 4 1\nnode 'Reshape' '' 'q' ('v' 'b') -> ('w')\nnode 'Transpose' '' 'n' ('w') -> ('y')",
    "const 's' s64 [4] = 1 3 2 2\nnode 'Reshape' '' 'r' ('x' 's') -> ('v')\n"
    "node 'SpaceToDepth' '' 'n' ('v') -> ('y') {blocksize: int 2}",
    "const 's' s64 [4] = 1 12 1 1\nnode 'Reshape' '' 'r' ('x' 's') -> ('v')\n"
    "node 'DepthToSpace' '' 'n' ('v') -> ('y') {blocksize: int 2}",
    "node 'Concat' '' 'n' ('x' 'x') -> ('y') {axis: int 0}",
    "const 's' s64 [2] = 5 7\nnode 'Resize' '' 'n' ('x' - - 's') -> ('y') {mode: string 'nearest'}",
    "const 'a' s64 [1] = 1\nnode 'ReduceMax' '' 'n' ('x' 'a') -> ('y')",
    "const 'k' s64 [1] = 2\nnode 'TopK' '' 'n' ('x' 'k') -> ('y' 'i')",
};

static const gn_dtype types[] = {GN_DTYPE_F32, GN_DTYPE_F16, GN_DTYPE_F64, GN_DTYPE_S64, GN_DTYPE_S32, GN_DTYPE_S16,
                                 GN_DTYPE_S8,  GN_DTYPE_U64, GN_DTYPE_U32, GN_DTYPE_U16, GN_DTYPE_U8,  GN_DTYPE_BOOL};

/* The result of one mover on elements of one type, in doubles; returns how many. */
static int run(const char *mover, gn_dtype dtype, double *dst, int room)
{
    const char *name = gn_dtype_name(dtype);
    gn_text text;
    gn_graph *graph = NULL;
    gn_interpret *it = NULL;
    gn_error err = {0};
    gn_text_init(&text);
    gn_text_printf(&text, "gannet-graph 1\nconst 'x' %s [3,4] = " X "\nconst 'u' %s [2,2] = " U "\n", name, name);
    for (const char *line = mover; *line;) {
        const size_t n = strcspn(line, "\n");
        gn_text_add_bytes(&text, line, n);
        gn_text_add(&text, strncmp(line, "node", 4) == 0 && !memchr(line, '{', n) ? " {}\n" : "\n");
        line += n + (line[n] == '\n');
    }
    gn_text_add(&text, "output 'y'\n");
    assert_false(text.failed);
    for (size_t i = 0; i < text.len; i++)
        text.data[i] = text.data[i] == '\'' ? '"' : text.data[i];
    if (gn_graph_from_text(text.data, text.len, gn_ops_registry(), &graph, &err) != GN_OK ||
        gn_graph_infer(graph, &err) != GN_OK || gn_interpret_create(graph, GN_DTYPE_F32, &it, &err) != GN_OK ||
        gn_interpret_run(it, &err) != GN_OK)
        fail_msg("%s of %s: %s", mover, name, err.message);
    const gn_tensor *y = gn_interpret_get(it, gn_graph_output(graph, 0));
    const int n = (int)gn_tensor_count(y);
    assert_true(n <= room);
    assert_int_equal(y->dtype, dtype);
    for (int i = 0; i < n; i++)
        dst[i] = gn_tensor_get(y, i);
    gn_interpret_destroy(&it);
    gn_graph_destroy(&graph);
    gn_text_deinit(&text);
    return n;
}

static void every_type_is_moved_alike(void **state)
{
    (void)state;
    double want[128], got[128];
    for (size_t m = 0; m < sizeof movers / sizeof *movers; m++) {
        const int n = run(movers[m], GN_DTYPE_F32, want, 128);
        int ones = 0;
        for (int i = 0; i < n; i++)
            ones += want[i] > 0;
        assert_true(n > 0 && ones > 0);
        for (size_t t = 1; t < sizeof types / sizeof *types; t++) {
            assert_int_equal(run(movers[m], types[t], got, 128), n);
            for (int i = 0; i < n; i++)
                if (got[i] < want[i] || got[i] > want[i])
                    fail_msg("%s: element %d of type %s is %g, expected %g", movers[m], i, gn_dtype_name(types[t]),
                             got[i], want[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_type_is_moved_alike)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
