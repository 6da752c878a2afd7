/* The YAML tree: what is read, and how each kind of bad text is refused.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/text.h"
#include "data/yaml_doc.h"

static gn_status parse(const char *text, gn_yaml **yaml, gn_error *err)
{
    gn_error_clear(err);
    return gn_yaml_parse(text, strlen(text), "test.yaml", yaml, err);
}

static void test_tree(void **state)
{
    (void)state;
    static const char text[] = "# a comment\n"
                               "model: [a, 'b c', \"d\\n\"]\n"
                               "lr0: 1e-3\n"
                               "epochs: 40\n"
                               "quoted: '40'\n"
                               "nothing:\n"
                               "flag: Yes\n"
                               "base: &b {x: 1, y: [2, 3]}\n"
                               "again: *b\n";
    gn_yaml *yaml = NULL;
    gn_error err = {0};
    assert_int_equal(parse(text, &yaml, &err), GN_OK);
    const gn_yaml_node *root = gn_yaml_root(yaml);
    assert_int_equal(gn_yaml_kind_of(root), GN_YAML_MAP);
    assert_int_equal(gn_yaml_count(root), 8);
    assert_string_equal(gn_yaml_key(root, 1), "lr0");
    const gn_yaml_node *model = gn_yaml_find(root, "model");
    assert_int_equal(gn_yaml_count(model), 3);
    assert_string_equal(gn_yaml_text(gn_yaml_item(model, 1)), "b c");
    assert_string_equal(gn_yaml_text(gn_yaml_item(model, 2)), "d\n");
    assert_int_equal(gn_yaml_line(gn_yaml_find(root, "lr0")), 3);
    double lr0 = 0;
    int64_t epochs = 0, untouched = 7;
    bool flag = false;
    assert_int_equal(gn_yaml_get_f64(yaml, root, "lr0", &lr0, &err), GN_OK);
    assert_true(lr0 == 1e-3);
    assert_int_equal(gn_yaml_get_i64(yaml, root, "epochs", &epochs, &err), GN_OK);
    assert_int_equal(epochs, 40);
    assert_int_equal(gn_yaml_get_i64(yaml, root, "absent", &untouched, &err), GN_OK);
    assert_int_equal(gn_yaml_get_i64(yaml, root, "nothing", &untouched, &err), GN_OK);
    assert_int_equal(untouched, 7);
    assert_int_equal(gn_yaml_get_bool(yaml, root, "flag", &flag, &err), GN_OK);
    assert_true(flag);
    const gn_yaml_node *again = gn_yaml_find(root, "again");
    assert_string_equal(gn_yaml_text(gn_yaml_item(gn_yaml_find(again, "y"), 1)), "3");
    assert_int_equal(gn_yaml_get_i64(yaml, root, "quoted", &epochs, &err), GN_EFORMAT);
    assert_int_equal(err.line, 5);
    assert_non_null(strstr(err.message, "quoted"));
    assert_null(gn_yaml_find(NULL, "x"));
    assert_null(gn_yaml_item(model, 3));
    gn_yaml_destroy(&yaml);
    assert_null(yaml);
}

static void refuse(const char *text, gn_status status, int64_t line, const char *word)
{
    gn_yaml *yaml = NULL;
    gn_error err = {0};
    const gn_status got = parse(text, &yaml, &err);
    if (got != status || (line > 0 && err.line != line) || strstr(err.message, word) == NULL)
        fail_msg("'%.40s': status %d, line %lld, message '%s'", text, (int)got, (long long)err.line, err.message);
    assert_null(yaml);
}

static void test_bad_text(void **state)
{
    (void)state;
    refuse("train: a\nnames:\n\t- face\n", GN_EFORMAT, 3, "tab");
    refuse("a: &x [1, *x]\n", GN_EFORMAT, 1, "cycle");
    refuse("a: 1\nb: &m\n  c: *m\n", GN_EFORMAT, 3, "cycle");
    refuse("a: *nobody\n", GN_EFORMAT, 1, "nobody");
    refuse("a: 1\na: 2\n", GN_EFORMAT, 2, "again");
    refuse("[a, b]: 1\n", GN_EFORMAT, 1, "key");
    refuse("a: [1, 2\nb: 3\n", GN_EFORMAT, 0, "column");
    refuse("a: 1\n---\nb: 2\n", GN_EFORMAT, 0, "second document");
    refuse("a: \"x\\0y\"\n", GN_EFORMAT, 1, "NUL");
    refuse("a: \xff\xfe\n", GN_EFORMAT, 0, "not YAML");
}

static void test_limits(void **state)
{
    (void)state;
    gn_text t;
    gn_text_init(&t);
    for (int i = 0; i < GN_YAML_MAX_DEPTH; i++)
        gn_text_add(&t, "[");
    gn_text_add(&t, "x");
    for (int i = 0; i < GN_YAML_MAX_DEPTH; i++)
        gn_text_add(&t, "]");
    refuse(t.data, GN_ELIMIT, 1, "deeper");
    /* One level less is fine. */
    gn_yaml *yaml = NULL;
    gn_error err = {0};
    t.data[t.len - 1] = '\0';
    assert_int_equal(parse(t.data + 1, &yaml, &err), GN_OK);
    gn_yaml_destroy(&yaml);
    gn_text_deinit(&t);

    /* Ten aliases of ten aliases of ...: 10^9 values from a few lines. */
    gn_text_init(&t);
    gn_text_add(&t, "l0: &l0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 9; i++)
        gn_text_printf(&t, "l%d: &l%d [*l%d,*l%d,*l%d,*l%d,*l%d,*l%d,*l%d,*l%d,*l%d,*l%d]\n", i, i, i - 1, i - 1, i - 1,
                       i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    refuse(t.data, GN_ELIMIT, 0, "values");
    gn_text_deinit(&t);

    gn_text_init(&t);
    while (t.len <= GN_YAML_MAX_BYTES)
        gn_text_add(&t, "# a long comment that fills the file until it is larger than what is read\n");
    refuse(t.data, GN_ELIMIT, 0, "at most");
    gn_text_deinit(&t);
}

static void test_empty(void **state)
{
    (void)state;
    gn_yaml *yaml = NULL;
    gn_error err = {0};
    assert_int_equal(parse("# nothing\n", &yaml, &err), GN_OK);
    assert_int_equal(gn_yaml_kind_of(gn_yaml_root(yaml)), GN_YAML_NULL);
    gn_yaml_destroy(&yaml);
    assert_int_equal(gn_yaml_open("/nonexistent/x.yaml", &yaml, &err), GN_ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_bad_text),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
