/* Models that were made for one picture at a time, at larger batches.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ops/ops.h"
#include "run/session.h"

/* images [batch,3,2,2] -> Relu -> Reshape to `rows` -> y; a second output is the Relu. */
static gn_graph *model(int batch, const int64_t *rows, int n_rows)
{
    gn_graph *g = NULL;
    assert_int_equal(gn_graph_create(gn_ops_registry(), &g), GN_OK);
    const gn_shape shape = gn_shape_make(4, batch, 3, 2, 2);
    int in[2] = {gn_graph_add_input(g, "images", GN_DTYPE_F32, &shape), -1};
    in[0] = gn_graph_add_op(g, "Relu", "", "relu", in, 1, NULL, 0);
    in[1] = gn_graph_add_const_s64(g, "rows", n_rows, rows);
    const int y = gn_graph_add_op(g, "Reshape", "", "reshape", in, 2, NULL, 0);
    assert_int_equal(gn_graph_error(g, NULL), GN_OK);
    gn_graph_add_output(g, y);
    gn_graph_add_output(g, in[0]);
    return g;
}

static gn_session *open_model(int batch, const int64_t *rows, int n_rows)
{
    gn_graph *g = model(batch, rows, n_rows);
    gn_session *session = NULL;
    gn_error err = {0};
    const gn_session_options options = {.threads = 1};
    if (gn_session_take_graph(&g, &options, &session, &err) != GN_OK)
        fail_msg("%s", err.message);
    return session;
}

/* Every number of the pictures comes back, clamped, in order. */
static void check(gn_session *session, int n, int64_t first_dim, int rank)
{
    float x[5 * 12];
    gn_error err = {0};
    for (int i = 0; i < 12 * n; i++)
        x[i] = (float)(i % 5 == 0 ? -i : i);
    if (gn_session_run(session, x, n, &err) != GN_OK)
        fail_msg("%s", err.message);
    for (int k = 0; k < 2; k++) {
        gn_shape shape;
        const float *y = gn_session_output(session, k, &shape);
        assert_non_null(y);
        assert_int_equal(gn_shape_count(&shape), 12 * n);
        assert_int_equal(shape.dim[0], k == 0 ? first_dim : n);
        assert_int_equal(shape.rank, k == 0 ? rank : 4);
        for (int i = 0; i < 12 * n; i++)
            assert_true(y[i] == (x[i] > 0 ? x[i] : 0));
    }
}

static int planned_batch(const gn_session *session)
{
    const gn_graph *graph = NULL;
    assert_non_null(gn_session_plan(session, &graph));
    return (int)gn_graph_value(graph, gn_graph_input(graph, 0))->shape.dim[0];
}

/* The batch is written into the shape: a plan for more would fail, or mean another thing. */
static void fixed_models_run_in_turns(void **state)
{
    (void)state;
    static const struct {
        int64_t rows[3];
        int n_rows;
        int64_t per_picture;
    } cases[] = {{{1, 12}, 2, 1}, {{1, -1}, 2, 1}, {{1, 3, -1}, 3, 1}, {{4, 3}, 2, 4}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gn_session *session = open_model(1, cases[i].rows, cases[i].n_rows);
        for (int n = 1; n <= 5; n += 2) {
            check(session, n, cases[i].per_picture * n, cases[i].n_rows);
            assert_int_equal(planned_batch(session), 1);
        }
        check(session, 1, cases[i].per_picture, cases[i].n_rows); /* and back */
        gn_session_release_weights(session);
        check(session, 2, cases[i].per_picture * 2, cases[i].n_rows);
        gn_session_close(&session);
    }
}

static void models_that_can_take_batches_do(void **state)
{
    (void)state;
    const int64_t rows[2] = {0, -1};
    for (int batch = -1; batch <= 1; batch += 2) {
        gn_session *session = open_model(batch, rows, 2);
        check(session, 3, 3, 2);
        assert_int_equal(planned_batch(session), 3);
        gn_session_close(&session);
    }
}

/* A free batch promises that any will do. */
static void free_models_fail_with_a_reason(void **state)
{
    (void)state;
    const int64_t rows[2] = {1, 12};
    gn_session *session = open_model(-1, rows, 2);
    gn_error err = {0};
    const float x[24] = {0};
    check(session, 1, 1, 2);
    assert_int_equal(gn_session_run(session, x, 2, &err), GN_ESHAPE);
    assert_true(err.message[0] != '\0');
    gn_session_close(&session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_models_run_in_turns),
        cmocka_unit_test(models_that_can_take_batches_do),
        cmocka_unit_test(free_models_fail_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
