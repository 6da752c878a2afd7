/* The table of a running search: what it says, and that no line is wider than the terminal.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "cli/search_screen.h"

static const gn_search_running running[] = {
    {.trial = 7, .label = "resnet18 lr0=0.01", .rung = 1, .epoch = 9, .epochs = 16, .metric = 0.5123, .seconds = 12},
    {.trial = 8, .label = "mobilenet_v2@0.35 lr0=0.003", .epoch = 0, .epochs = 4, .metric = NAN, .seconds = 1},
};

static gn_search_view make_view(void)
{
    return (gn_search_view){.objective = "mean_iou",
                            .n_rungs = 3,
                            .rung_epochs = {4, 16, 60},
                            .rung_done = {37, 9, 2},
                            .n_trials = 84,
                            .n_done = 40,
                            .n_failed = 3,
                            .n_screened = 6,
                            .running = running,
                            .n_running = 2,
                            .best_label = "resnet18 lr0=0.003",
                            .best_metric = 0.6312,
                            .best_ms = 8.41,
                            .epochs_done = 300,
                            .epochs_total = 900,
                            .seconds = 723,
                            .seconds_left = 2480,
                            .gain = 0.0123};
}

static void expect_lines(const gn_search_view *view, int columns, const char *const *expected, size_t n)
{
    gn_text text;
    gn_text_init(&text);
    search_screen_table(view, columns, &text);
    const char *at = text.data;
    for (size_t i = 0; i < n; i++) {
        const size_t len = strcspn(at, "\n");
        assert_int_equal(len, strlen(expected[i]));
        assert_memory_equal(at, expected[i], len);
        at += len + 1;
    }
    assert_string_equal(at, "");
    gn_text_deinit(&text);
}

static void test_table(void **state)
{
    (void)state;
    const gn_search_view view = make_view();
    const char *const expected[] = {
        "epochs 300 of about 900, 12:03 so far, 41:20 left",
        "trials 84: 37 at 4 epochs, 9 at 16 epochs, 2 at 60 epochs; 3 failed; 6 over the budget",
        "  7  resnet18 lr0=0.01  epoch 9/16, mean_iou 0.512, 12.0 s",
        "  8  mobilenet_v2@0.35 lr0=0.003  epoch 0/4, 1.0 s",
        "best   resnet18 lr0=0.003: mean_iou 0.6312, 8.41 ms; going on may bring about 0.012",
    };
    expect_lines(&view, 120, expected, 5);
}

static void test_narrow_terminal(void **state)
{
    (void)state;
    gn_search_view view = make_view();
    view.n_running = 0;
    view.best_label = NULL;
    const char *const expected[] = {"epochs 300 of about", "trials 84: 37 at 4 "};
    expect_lines(&view, 20, expected, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_narrow_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
