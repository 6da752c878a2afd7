/* Growing texts, JSON quoting, number parsing, sizes and times for people.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"

static void texts_grow(void **state)
{
    (void)state;
    gn_text t;
    gn_text_init(&t);
    for (int i = 0; i < 1000; i++)
        gn_text_printf(&t, "%d,", i);
    gn_text_add(&t, "end");
    assert_false(t.failed);
    assert_int_equal(t.len, strlen(t.data));
    assert_int_equal(t.len, 10 * 2 + 90 * 3 + 900 * 4 + 3);
    assert_string_equal(t.data + t.len - 7, "999,end");
    gn_text_deinit(&t);
}

static void check_json(const char *s, const char *expected)
{
    gn_text t;
    gn_text_init(&t);
    gn_text_add_json(&t, s);
    assert_string_equal(t.data, expected);
    gn_text_deinit(&t);
}

static void json_is_escaped(void **state)
{
    (void)state;
    check_json("", "\"\"");
    check_json("a\"b\\c\n\t\x01", "\"a\\\"b\\\\c\\n\\t\\u0001\"");
    check_json("gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x90\xA6",
               "\"gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x90\xA6\"");
    /* a lone byte, a cut sequence, an overlong one, a surrogate, beyond U+10FFFF */
    check_json("\xFF", "\"\xEF\xBF\xBD\"");
    check_json("x\xE2\x82", "\"x\xEF\xBF\xBD\xEF\xBF\xBD\"");
    check_json("\xC0\xAF", "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
    check_json("\xED\xA0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
    check_json("\xF4\x90\x80\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

static void affixes(void **state)
{
    (void)state;
    assert_true(gn_has_suffix("model.onnx", ".onnx"));
    assert_false(gn_has_suffix("x", ".onnx"));
    assert_true(gn_has_prefix("--name", "--"));
    assert_false(gn_has_prefix("-", "--"));
}

static void whole_numbers(void **state)
{
    (void)state;
    int64_t x = 5;
    assert_true(gn_parse_i64("-12", &x));
    assert_int_equal(x, -12);
    assert_true(gn_parse_i64("9223372036854775807", &x));
    assert_true(x == INT64_MAX);
    static const char *const bad[] = {"", " 1", "1 ", "1.5", "0x10", "9223372036854775808", "-", "+-1", "1-"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(gn_parse_i64(bad[i], &x));
    assert_true(x == INT64_MAX);
}

static void real_numbers(void **state)
{
    (void)state;
    double x = 5;
    assert_true(gn_parse_f64("1e-3", &x));
    assert_true(x == 1e-3);
    assert_true(gn_parse_f64(".5", &x));
    assert_true(x == 0.5);
    static const char *const bad[] = {"", "nan", "inf", "1e999", "0x1p3", "1,5", "1e", "e", " 1", "1 ", "."};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(gn_parse_f64(bad[i], &x));
    assert_true(x == 0.5);
}

static void sizes_and_times(void **state)
{
    (void)state;
    char s[32];
    gn_format_bytes(999, s);
    assert_string_equal(s, "999 B");
    gn_format_bytes(1234567, s);
    assert_string_equal(s, "1.2 MB");
    gn_format_bytes(999950000, s);
    assert_string_equal(s, "1.0 GB");
    gn_format_bytes(UINT64_MAX, s);
    assert_string_equal(s, "18.4 EB");
    gn_format_seconds(12.34, s);
    assert_string_equal(s, "12.3 s");
    gn_format_seconds(59.96, s);
    assert_string_equal(s, "1:00");
    gn_format_seconds(3723, s);
    assert_string_equal(s, "1:02:03");
    gn_format_seconds(-1, s);
    assert_string_equal(s, "?");
    gn_format_utc(1795178902, s);
    assert_string_equal(s, "2026-11-20T12:48:22Z");
}

static void nearest_words(void **state)
{
    (void)state;
    static const char *const nets[] = {"resnet18", "mobilenet_v2", "squeezenet1_1"};
    assert_int_equal(gn_edit_distance("kitten", "sitting"), 3);
    assert_int_equal(gn_edit_distance("", "abc"), 3);
    assert_string_equal(gn_nearest("resnet19", nets, 3), "resnet18");
    assert_string_equal(gn_nearest("mobilenetv2", nets, 3), "mobilenet_v2");
    assert_null(gn_nearest("vgg", nets, 3));
    char longer[1000];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(gn_edit_distance(longer, "abc"), sizeof longer - 1);
}

static void clocks_go_on(void **state)
{
    (void)state;
    const int64_t start = gn_now_ns();
    gn_sleep_ns(2000000);
    const int64_t passed = gn_now_ns() - start;
    assert_true(passed >= 2000000);
    assert_true(gn_unix_seconds() > 1700000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_grow),    cmocka_unit_test(json_is_escaped), cmocka_unit_test(affixes),
        cmocka_unit_test(whole_numbers), cmocka_unit_test(real_numbers),    cmocka_unit_test(sizes_and_times),
        cmocka_unit_test(nearest_words), cmocka_unit_test(clocks_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
