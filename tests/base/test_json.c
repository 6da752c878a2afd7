/* The JSON reader: kinds, paths, escapes, and what it refuses.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/text.h"

static const gn_json *parse(gn_arena *arena, const char *text)
{
    const gn_json *root = NULL;
    assert_int_equal(gn_json_parse(text, strlen(text), arena, &root, NULL), GN_OK);
    return root;
}

static void test_values(void **state)
{
    (void)state;
    gn_arena *arena = gn_arena_create(0);
    const gn_json *root = parse(
        arena,
        " {\"a\": {\"b\": -1.5e2}, \"t\":true, \"n\":null, \"s\":\"x\\\"\\u00e9\\uD83D\\uDE00\\n\", \"l\":[1,[],{}]} ");
    double x = 0;
    const char *s = NULL;
    assert_true(gn_json_number(root, "a.b", &x) && x == -150);
    assert_true(gn_json_number(root, "t", &x) && x == 1);
    assert_false(gn_json_number(root, "n", &x));
    assert_false(gn_json_number(root, "a.b.c", &x));
    assert_false(gn_json_number(root, "a", &x));
    assert_true(gn_json_string(root, "s", &s));
    assert_string_equal(s, "x\"\xC3\xA9\xF0\x9F\x98\x80\n");
    const gn_json *list = gn_json_member(root, "l");
    assert_int_equal(list->kind, GN_JSON_ARRAY);
    assert_true(list->first->number == 1 && list->first->next->next->kind == GN_JSON_OBJECT);
    assert_null(list->first->next->next->next);
    gn_arena_destroy(&arena);
}

static void test_refusals(void **state)
{
    (void)state;
    static const char *const bad[] = {"",       "{",   "[1,]", "{\"a\" 1}", "{a:1}",     "01",  "1.",
                                      "-",      "nul", "\"x",  "\"\\q\"",   "\"\\u12\"", "1 2", "[1}",
                                      "\"\n\"", "1e",  "+1",   "\"\\",      "1e999",     "NaN", "{\"a\":}"};
    gn_arena *arena = gn_arena_create(0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const gn_json *root = NULL;
        gn_error err = {0};
        if (gn_json_parse(bad[i], strlen(bad[i]), arena, &root, &err) != GN_EFORMAT)
            fail_msg("not refused: %s", bad[i]);
        assert_null(root);
    }
    char deep[200];
    memset(deep, '[', sizeof deep);
    const gn_json *root = NULL;
    assert_int_equal(gn_json_parse(deep, sizeof deep, arena, &root, NULL), GN_ELIMIT);
    gn_arena_destroy(&arena);
}

static void test_writer_and_reader_agree(void **state)
{
    (void)state;
    static const char nasty[] = "</script> \"q\" \\ \x01\x1f \t\r\n \xE2\x80\xA8 \xF0\x9F\x90\xA6";
    gn_text text;
    gn_text_init(&text);
    gn_text_add_json(&text, nasty);
    gn_arena *arena = gn_arena_create(0);
    const gn_json *root = parse(arena, text.data);
    assert_string_equal(root->text, nasty);
    gn_arena_destroy(&arena);
    gn_text_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_writer_and_reader_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
