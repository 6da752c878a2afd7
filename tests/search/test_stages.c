/* Stages: what is read, what is refused, and who is promoted.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "search/stages.h"

static void test_reads_and_writes(void **state)
{
    (void)state;
    gn_stages stages;
    char text[GN_STAGES_TEXT];
    assert_int_equal(gn_stages_parse("10:8,30:2,60", &stages, NULL), GN_OK);
    assert_int_equal(stages.n, 3);
    assert_int_equal(stages.stage[0].epochs, 10);
    assert_int_equal(stages.stage[0].keep, 8);
    assert_int_equal(stages.stage[2].epochs, 60);
    assert_int_equal(stages.stage[2].keep, 0);
    gn_stages_format(&stages, text);
    assert_string_equal(text, "10:8,30:2,60");
    assert_int_equal(gn_stages_parse(" 5 ", &stages, NULL), GN_OK);
    assert_int_equal(stages.n, 1);
    assert_int_equal(gn_stages_parse("10 : 8 , 30", &stages, NULL), GN_OK);
    gn_stages_format(&stages, text);
    assert_string_equal(text, "10:8,30");
    assert_int_equal(gn_stages_parse("1:100000,2:9,3:9,4:9,5:9,6:9,7:9,100000", &stages, NULL), GN_OK);
    gn_stages_format(&stages, text);
    assert_string_equal(text, "1:100000,2:9,3:9,4:9,5:9,6:9,7:9,100000");
}

static void test_refusals_say_what_was_expected(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "0",
                                      "-1",
                                      "10:8",
                                      "10,20",
                                      "10:8,",
                                      "10:0,20",
                                      "10:2,10",
                                      "20:2,10",
                                      "10:2,20:3,30",
                                      "10:2,20:1,30:1",
                                      "10;2",
                                      "a",
                                      "10:b,20",
                                      "999999999999",
                                      "10:2,20x",
                                      "1:9,2:9,3:9,4:9,5:9,6:9,7:9,8:9,9"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        gn_stages stages = {.n = -1};
        gn_error err = {0};
        if (gn_stages_parse(bad[i], &stages, &err) != GN_EINVAL)
            fail_msg("not refused: \"%s\"", bad[i]);
        assert_int_equal(stages.n, -1);
        assert_non_null(strstr(err.message, "10:8,30:2,60"));
    }
}

static void test_promotion_keeps_networks_by_their_best_trial(void **state)
{
    (void)state;
    gn_contender list[] = {{1, 100, 0.50}, {2, 100, 0.60}, {3, 200, 0.55}, {4, 200, NAN},
                           {5, 300, 0.10}, {6, 300, 0.20}, {7, 400, NAN}};
    assert_int_equal(gn_promote(list, 7, 2), 2);
    assert_int_equal(list[0].trial, 2);
    assert_int_equal(list[1].trial, 3);
    assert_int_equal(gn_promote(list, 7, 10), 3);
    assert_int_equal(list[2].trial, 6);
    assert_int_equal(gn_promote(list, 0, 3), 0);
}

static void test_ties_go_to_the_lower_trial(void **state)
{
    (void)state;
    gn_contender list[] = {{9, 1, 0.5}, {4, 2, 0.5}, {7, 3, 0.5}, {2, 1, 0.5}};
    assert_int_equal(gn_promote(list, 4, 2), 2);
    assert_int_equal(list[0].trial, 2);
    assert_int_equal(list[1].trial, 4);
    int64_t sum = 0;
    for (int i = 0; i < 4; i++)
        sum += list[i].trial;
    assert_int_equal(sum, 22); /* nothing is lost */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_and_writes),
        cmocka_unit_test(test_refusals_say_what_was_expected),
        cmocka_unit_test(test_promotion_keeps_networks_by_their_best_trial),
        cmocka_unit_test(test_ties_go_to_the_lower_trial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
