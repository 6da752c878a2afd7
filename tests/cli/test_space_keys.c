/* Keys of a space beside the options of `gannet train`: same ranges, same words, and no option that was forgotten.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/train_options.h"
#include "cli/train_settings.h"
#include "search/space_internal.h"

static const gn_opt *option_of(const char *key)
{
    for (size_t i = 0; i < gn_train_spec.n_options; i++) {
        const char *name = gn_train_spec.options[i].name;
        if (gn_space_key_index(name, strlen(name)) == gn_space_key_index(key, strlen(key)))
            return &gn_train_spec.options[i];
    }
    return NULL;
}

static bool same_words(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void test_keys(void **state)
{
    (void)state;
    for (int i = 0; i < SPACE_N_KEYS; i++) {
        const space_key *key = &gn_space_keys[i];
        const gn_opt *opt = option_of(key->name);
        if (opt == NULL)
            fail_msg("gannet train has no option %s", key->name);
        const bool is_flag = opt->type == GN_OPT_FLAG, is_int = opt->type == GN_OPT_INT;
        if (is_flag != (key->kind == SPACE_FLAG) || (is_int && key->kind != SPACE_INT) ||
            (opt->type == GN_OPT_DOUBLE &&
             (key->kind != SPACE_NUMBER || opt->min != key->min || opt->max != key->max)) ||
            (is_int && (opt->min != key->min || opt->max != key->max)))
            fail_msg("%s: another kind or range than that of the option", key->name);
        /* What `auto` stands for depends on the model: a space says it. */
        const char *words =
            opt->choices != NULL && strncmp(opt->choices, "auto|", 5) == 0 ? opt->choices + 5 : opt->choices;
        if (!is_flag && !same_words(words, key->choices))
            fail_msg("%s: the words are %s", key->name, words != NULL ? words : "any");
    }
}

/* An option that decides what is trained is a key, or stands here. */
static void test_options(void **state)
{
    (void)state;
    static const char *const others[] = {"schedule-epochs", "best", "val", "weights-key", "weights-order"};
    for (size_t i = 0; i < gn_train_spec.n_options; i++) {
        const char *name = gn_train_spec.options[i].name;
        bool is_known = gn_train_is_free(name) || gn_space_key_index(name, strlen(name)) >= 0;
        for (size_t k = 0; k < sizeof others / sizeof others[0]; k++)
            is_known = is_known || strcmp(name, others[k]) == 0;
        if (!is_known)
            fail_msg("--%s of gannet train is no key of spaces", name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
