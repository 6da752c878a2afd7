/* Models of other tools give what ONNX Runtime gave for them (tests/golden, made by tests/oracle/make_onnx_golden.py).
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "run/session.h"

#define FOLDER    GN_SOURCE_DIR "/tests/golden/"
#define TOLERANCE 1e-5

static void fill_input(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)((double)((7919 * i + 104729) % 2003) / 1001.0 - 1.0);
}

/* One line: file, batch, the expected numbers.  Returns how many were compared. */
static int64_t check_line(char *line, int threads)
{
    char path[1024], *rest = NULL;
    gn_error err = {0};
    const char *name = strtok_r(line, " ", &rest);
    int batch = atoi(strtok_r(NULL, " ", &rest));
    snprintf(path, sizeof path, "%s%s", FOLDER, name);
    gn_session *session = NULL;
    if (gn_session_open(path, &(gn_session_options){.threads = threads}, &session, &err) != GN_OK)
        fail_msg("%s: %s", name, err.message);
    gn_shape shape = gn_session_input_shape(session);
    size_t count = (size_t)gn_shape_count(&shape) * (size_t)batch;
    float *x = gn_alloc(count * sizeof *x);
    fill_input(x, count);
    assert_int_equal(gn_session_run(session, x, batch, &err), GN_OK);
    gn_shape out;
    const float *y = gn_session_output(session, 0, &out);
    int64_t n = 0;
    for (const char *word = strtok_r(NULL, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest), n++) {
        assert_true(n < gn_shape_count(&out));
        double want = strtod(word, NULL);
        if (!(fabs((double)y[n] - want) <= TOLERANCE * (1 + fabs(want))))
            fail_msg("%s: output %d is %.8g, ONNX Runtime gave %.8g", name, (int)n, (double)y[n], want);
    }
    assert_int_equal(n, gn_shape_count(&out));
    gn_free(x);
    gn_session_close(&session);
    return n;
}

static void test_same_as_onnx_runtime(void **ctx)
{
    (void)ctx;
    for (int threads = 1; threads <= 2; threads++) {
        char *text = NULL, *rest = NULL;
        size_t n = 0;
        assert_int_equal(gn_file_read(FOLDER "onnx_runtime.txt", 1 << 20, &text, &n, NULL), GN_OK);
        int cases = 0;
        for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), cases++)
            assert_true(check_line(line, threads) > 0);
        assert_true(cases >= 6);
        gn_free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_as_onnx_runtime)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
