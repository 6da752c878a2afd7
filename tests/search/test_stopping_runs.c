/* Stopping rules run from start to end many times: trials that finish in random order, fail, have no score, and searches that are
 * killed on the way.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "search/stopping.h"

#define MAX_TRIALS 128

/* What can go wrong in a run, as chances of each rung. */
typedef struct luck {
    double fail, no_score, kill;
    bool knows_aim; /* after a kill the study still knows what its trials were sent for */
} luck;

typedef struct run {
    gn_stopping rule;
    gn_standing list[MAX_TRIALS];
    double score[MAX_TRIALS][GN_STOPPING_MAX_RUNGS];
    double truth[MAX_TRIALS];
    int begun[MAX_TRIALS][GN_STOPPING_MAX_RUNGS]; /* how often it was sent for each rung */
    size_t n;
    int n_kills;
    int64_t epochs;
    gn_rng rng;
} run;

static gn_next ask(const run *r, const gn_standing *list)
{
    gn_next next;
    assert_int_equal(gn_stopping_next(&r->rule, list, r->n, &next, NULL), GN_OK);
    return next;
}

/* The order of the list is nobody's business. */
static void assert_order_does_not_matter(run *r, const gn_next *next)
{
    gn_standing list[MAX_TRIALS];
    int64_t order[MAX_TRIALS];
    for (size_t i = 0; i < r->n; i++)
        order[i] = (int64_t)i;
    gn_rng_shuffle(&r->rng, order, (int64_t)r->n);
    for (size_t i = 0; i < r->n; i++)
        list[i] = r->list[order[i]];
    const gn_next again = ask(r, list);
    assert_int_equal(again.kind, next->kind);
    if (next->kind == GN_NEXT_CONTINUE)
        assert_int_equal(list[again.index].trial, r->list[next->index].trial);
    if (next->kind <= GN_NEXT_CONTINUE)
        assert_true(again.bracket == next->bracket && again.rung == next->rung);
}

static void send(run *r, const gn_next *next)
{
    if (next->kind == GN_NEXT_START) {
        assert_true((int64_t)r->n < r->rule.n_trials);
        assert_int_equal(next->rung, next->bracket);
        for (int k = 0; k < GN_STOPPING_MAX_RUNGS; k++)
            r->score[r->n][k] = NAN;
        r->truth[r->n] = gn_rng_uniform(&r->rng);
        r->list[r->n] = (gn_standing){.trial = 100 + (int64_t)r->n,
                                      .network = (int64_t)r->n / 3,
                                      .bracket = next->bracket,
                                      .n_rungs = next->bracket,
                                      .score = r->score[r->n],
                                      .cost = gn_rng_uniform(&r->rng)};
        r->n++;
    }
    gn_standing *s = &r->list[next->kind == GN_NEXT_START ? r->n - 1 : next->index];
    assert_false(s->is_running || s->is_out);
    assert_int_equal(next->rung, s->n_rungs);
    assert_int_equal(next->bracket, s->bracket);
    assert_true(next->rung < r->rule.n_ladder);
    if (s->n_rungs > s->bracket)
        assert_false(isnan(s->score[s->n_rungs - 1]));
    s->is_running = true;
    s->aim = next->rung + 1;
    const int times = ++r->begun[s - r->list][next->rung];
    assert_true(times <= 1 + r->n_kills); /* nothing is trained twice but for a kill */
}

static size_t count_running(const run *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        n += r->list[i].is_running;
    return n;
}

/* One of the running trials reaches its rung, or fails. */
static void finish_one(run *r, const luck *odds)
{
    size_t at = (size_t)gn_rng_below(&r->rng, (int64_t)count_running(r)), i = 0;
    for (;; i++)
        if (r->list[i].is_running && at-- == 0)
            break;
    gn_standing *s = &r->list[i];
    const int rung = s->n_rungs;
    s->is_running = false;
    if (gn_rng_uniform(&r->rng) < odds->fail) {
        s->is_out = true;
        return;
    }
    r->score[i][rung] = gn_rng_uniform(&r->rng) < odds->no_score ? NAN : r->truth[i] + 0.1 * gn_rng_normal(&r->rng);
    r->epochs += r->rule.epochs[rung] - (rung > s->bracket ? r->rule.epochs[rung - 1] : 0);
    s->n_rungs++;
}

static void kill_all(run *r, const luck *odds)
{
    r->n_kills++;
    for (size_t i = 0; i < r->n; i++) {
        r->list[i].is_running = false;
        if (!odds->knows_aim)
            r->list[i].aim = 0;
    }
}

/* Runs to the end with so many workers. */
static void run_to_end(run *r, const char *text, uint64_t seed, size_t workers, const luck *odds)
{
    memset(r, 0, sizeof *r);
    gn_rng_init(&r->rng, seed, 9);
    assert_int_equal(gn_stopping_parse(text, &r->rule, NULL), GN_OK);
    for (int step = 0;; step++) {
        assert_true(step < 20000);
        if (r->n_kills < 5 && gn_rng_uniform(&r->rng) < odds->kill)
            kill_all(r, odds);
        const gn_next next = ask(r, r->list);
        if (step % 7 == 0)
            assert_order_does_not_matter(r, &next);
        if (next.kind == GN_NEXT_END) {
            assert_int_equal(count_running(r), 0);
            break;
        }
        if (next.kind == GN_NEXT_WAIT)
            assert_true(count_running(r) > 0);
        else
            send(r, &next);
        const size_t running = count_running(r);
        if (running > 0 && (next.kind == GN_NEXT_WAIT || running >= workers || gn_rng_uniform(&r->rng) < 0.2))
            finish_one(r, odds);
    }
    assert_int_equal(r->n, r->rule.n_trials);
}

static size_t count_finished(const run *r, int rung, int bracket)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        n += r->list[i].bracket == bracket && r->list[i].n_rungs > rung;
    return n;
}

static const char *const rules[] = {"1:9,2:4,8:2,16 trials=60",
                                    "halving:1-27/3 trials=60",
                                    "asha:1-64/4 trials=60",
                                    "asha:2-16/2 trials=40",
                                    "hyperband:1-27/3 trials=90",
                                    "median:2-16 trials=60 grace=4",
                                    "none:8 trials=20",
                                    "asha:1-64/4 trials=3",
                                    "halving:1-64/4 trials=3",
                                    "asha:5-5/2 trials=7",
                                    "hyperband:1-27/3 trials=2",
                                    "5 trials=9",
                                    "asha:1-64/4 trials=60 pareto",
                                    "1:9,2:4,8:2,16 trials=60 pareto",
                                    "halving:1-27/3 trials=60 pareto",
                                    "hyperband:1-27/3 trials=60 pareto",
                                    "median:2-16 trials=60 grace=4 pareto"};
#define N_RULES (sizeof rules / sizeof *rules)

static void assert_verdicts(const run *r)
{
    for (size_t i = 0; i < r->n; i++) {
        char text[128];
        gn_stopping_verdict(&r->rule, r->list, r->n, i, text, sizeof text);
        const char *begin = r->list[i].is_out                        ? "failed"
                            : r->list[i].n_rungs == r->rule.n_ladder ? "trained"
                                                                     : "stopped";
        if (strncmp(text, begin, strlen(begin)) != 0)
            fail_msg("trial %zu: %s", i, text);
    }
}

static void test_every_run_comes_to_its_end(void **state)
{
    (void)state;
    static const luck lucks[] = {{0, 0, 0, true},   {0.1, 0.1, 0, true},      {0.5, 0, 0, true},
                                 {0, 0.5, 0, true}, {0.05, 0.05, 0.02, true}, {0.05, 0.05, 0.02, false},
                                 {1, 0, 0, true},   {0, 1, 0, true}};
    static run r;
    for (size_t k = 0; k < N_RULES; k++)
        for (size_t l = 0; l < sizeof lucks / sizeof *lucks; l++)
            for (uint64_t seed = 0; seed < 6; seed++) {
                run_to_end(&r, rules[k], seed, seed % 2 == 0 ? 1 : 1 + seed * 3, &lucks[l]);
                assert_verdicts(&r);
                if (lucks[l].fail == 0 && lucks[l].no_score == 0)
                    assert_true(count_finished(&r, r.rule.n_ladder - 1, 0) >= 1);
            }
}

static const luck none = {0, 0, 0, true};

static void test_barriers_let_through_exactly_their_share(void **state)
{
    (void)state;
    static run r;
    for (uint64_t seed = 0; seed < 20; seed++) {
        run_to_end(&r, "halving:1-27/3 trials=60", seed, 1 + seed, &none);
        assert_int_equal(count_finished(&r, 0, 0), 60);
        assert_int_equal(count_finished(&r, 1, 0), 20);
        assert_int_equal(count_finished(&r, 2, 0), 6);
        assert_int_equal(count_finished(&r, 3, 0), 2);
        assert_int_equal(r.epochs, 60 + 20 * 2 + 6 * 6 + 2 * 18);
        run_to_end(&r, "1:9,2:4,8:2,16 trials=60", seed, 1 + seed, &none);
        assert_int_equal(count_finished(&r, 1, 0), 9);
        assert_int_equal(count_finished(&r, 2, 0), 4);
        assert_int_equal(count_finished(&r, 3, 0), 2);
        for (size_t i = 0; i < r.n; i++)
            for (size_t j = 0; j < i; j++)
                assert_false(r.list[i].network == r.list[j].network && r.list[i].n_rungs > 1 && r.list[j].n_rungs > 1);
    }
}

/* The best score of a rung, of those not in `mark`. */
static size_t best_of_rung(const run *r, int rung, const bool *mark)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < r->n; i++)
        if (r->list[i].n_rungs > rung && !mark[i] && (best == SIZE_MAX || r->score[i][rung] > r->score[best][rung]))
            best = i;
    return best;
}

static void test_asha_sends_on_the_best_of_every_rung_and_few_others(void **state)
{
    (void)state;
    static run r;
    for (uint64_t seed = 0; seed < 40; seed++) {
        run_to_end(&r, "asha:1-64/4 trials=120", seed, 1 + seed % 9, &none);
        for (int rung = 0; rung + 1 < r.rule.n_ladder; rung++) {
            bool mark[MAX_TRIALS] = {false};
            const size_t n = count_finished(&r, rung, 0), passed = count_finished(&r, rung + 1, 0);
            for (size_t k = 0; k < n / 4; k++) {
                const size_t best = best_of_rung(&r, rung, mark);
                assert_true(r.list[best].n_rungs > rung + 1);
                mark[best] = true;
            }
            assert_true(passed >= n / 4 && (double)passed <= (double)n / 4 + 2 * sqrt((double)n) + 1);
        }
    }
}

/* When everybody finishes before anybody is asked for, ASHA sends on the same trials as successive halving. */
static void test_asha_with_whole_rungs_is_halving(void **state)
{
    (void)state;
    static run pair[2];
    for (uint64_t seed = 0; seed < 20; seed++) {
        for (int k = 0; k < 2; k++) {
            run *r = &pair[k];
            memset(r, 0, sizeof *r);
            gn_rng_init(&r->rng, seed, 9);
            gn_stopping_parse(k == 0 ? "asha:1-27/3 trials=60" : "halving:1-27/3 trials=60", &r->rule, NULL);
            for (gn_next next = ask(r, r->list); next.kind != GN_NEXT_END; next = ask(r, r->list)) {
                if (next.kind != GN_NEXT_WAIT)
                    send(r, &next);
                while (next.kind == GN_NEXT_WAIT && count_running(r) > 0) {
                    gn_standing *s = r->list;
                    while (!s->is_running)
                        s++;
                    const size_t i = (size_t)(s - r->list);
                    r->score[i][s->n_rungs] = r->truth[i] + 0.01 * (double)((i * 7 + (size_t)s->n_rungs * 3) % 11);
                    s->is_running = false;
                    s->n_rungs++;
                }
            }
        }
        for (size_t i = 0; i < 60; i++)
            assert_int_equal(pair[0].list[i].n_rungs, pair[1].list[i].n_rungs);
    }
}

static void test_hyperband_fills_its_brackets_by_their_shares(void **state)
{
    (void)state;
    static run r;
    run_to_end(&r, "hyperband:1-27/3 trials=100", 3, 4, &none);
    /* 4 rungs, eta 3: 27, ceil(4/3 * 9) = 12, ceil(4/2 * 3) = 6 and 4 of 49 */
    static const double share[] = {27.0 / 49, 12.0 / 49, 6.0 / 49, 4.0 / 49};
    for (int b = 0; b < 4; b++) {
        const size_t n = count_finished(&r, b, b);
        assert_true(fabs((double)n - 100 * share[b]) <= 1);
        assert_true(count_finished(&r, 3, b) >= 1);
    }
}

static void test_epochs_left(void **state)
{
    (void)state;
    static run r;
    static const char *const exact[] = {"halving:1-27/3 trials=60", "none:8 trials=20", "1:9,2:4,8:2,16 trials=60"};
    for (size_t k = 0; k < 3; k++) {
        gn_stopping rule;
        gn_stopping_parse(exact[k], &rule, NULL);
        const double planned = gn_stopping_epochs_left(&rule, NULL, 0);
        run_to_end(&r, exact[k], 4, 3, &none);
        assert_true(planned == (double)r.epochs);
        assert_true(gn_stopping_epochs_left(&rule, r.list, r.n) == 0);
    }
    for (size_t k = 0; k < N_RULES; k++) { /* estimates of the others are not far off, and run out with the search */
        run_to_end(&r, rules[k], 4, 3, &none);
        const double planned = gn_stopping_epochs_left(&r.rule, NULL, 0);
        assert_true(planned > 0.4 * (double)r.epochs && planned < 2.5 * (double)r.epochs);
        assert_true(gn_stopping_epochs_left(&r.rule, r.list, r.n) <= 0.35 * planned);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_run_comes_to_its_end),
        cmocka_unit_test(test_barriers_let_through_exactly_their_share),
        cmocka_unit_test(test_asha_sends_on_the_best_of_every_rung_and_few_others),
        cmocka_unit_test(test_asha_with_whole_rungs_is_halving),
        cmocka_unit_test(test_hyperband_fills_its_brackets_by_their_shares),
        cmocka_unit_test(test_epochs_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
