/* Choices of convolution forward: what is possible for given sizes, and what a choice is called.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/conv_few.h"
#include "kernels/conv_groups.h"
#include "kernels/conv_plan.h"
#include "kernels/conv_winograd.h"

/* More parts than these are never worth a thought, and would not be from a plan of ours. */
enum { PARTS_MAX = 65536, TASKS_MAX = 64 };

static const char *const names[GN_CONV_ALGORITHMS] = {"model", "direct", "few", "winograd2", "winograd4"};

static bool is_wino(gn_conv_algorithm algorithm)
{
    return algorithm == GN_CONV_WINOGRAD2 || algorithm == GN_CONV_WINOGRAD4;
}

gn_conv_choice gn_conv_fwd_chosen(const gn_conv *p, int threads)
{
    gn_wino w;
    gn_groups g;
    gn_conv_taps t;
    if (p->choice.algorithm == GN_CONV_FEW || (p->choice.algorithm == GN_CONV_MODEL && gn_conv_few_fits(p)))
        return (gn_conv_choice){GN_CONV_FEW, 0, 0};
    if (gn_groups_forward(p, &g)) /* cuts itself */
        return (gn_conv_choice){GN_CONV_WINOGRAD4, 0, 0};
    if (gn_wino_forward_for(p, threads, &w))
        return (gn_conv_choice){w.m == 2 ? GN_CONV_WINOGRAD2 : GN_CONV_WINOGRAD4, w.panel_blocks, w.tile_blocks};
    gn_conv_taps_forward(p, &t);
    if (p->choice.pixels == 0)
        gn_conv_taps_cut(&t, threads);
    return (gn_conv_choice){GN_CONV_DIRECT, t.panel_blocks, t.pixel_blocks};
}

static bool is_grouped_winograd(const gn_conv *p, gn_conv_choice choice)
{
    gn_conv chosen = *p;
    gn_groups g;
    chosen.choice = choice;
    return gn_groups_forward(&chosen, &g);
}

bool gn_conv_fwd_takes(const gn_conv *p, bool is_plain, gn_conv_choice choice)
{
    if (choice.algorithm == GN_CONV_MODEL)
        return choice.panels == 0 && choice.pixels == 0;
    if (choice.algorithm == GN_CONV_FEW)
        return gn_conv_few_fits(p) && choice.panels == 0 && choice.pixels == 0;
    if (is_plain || choice.pixels < 0 || choice.pixels > PARTS_MAX)
        return false;
    gn_conv_taps t;
    gn_conv_taps_forward(p, &t);
    if (is_grouped_winograd(p, choice))
        return choice.panels == 0 && choice.pixels == 0;
    if (is_wino(choice.algorithm) && !gn_wino_possible(p))
        return false;
    if (choice.panels == 0 && choice.pixels == 0)
        return true;
    if (is_wino(choice.algorithm))
        return gn_wino_takes_cut(p, choice);
    return choice.panels >= 1 && choice.panels <= t.panels && choice.pixels >= 1 &&
           choice.pixels <= gn_conv_taps_tiles(&t);
}

typedef struct list {
    const gn_conv *p;
    gn_conv_choice *choices;
    int n, max, threads;
} list;

static void add(list *l, gn_conv_choice choice)
{
    gn_conv p = *l->p;
    p.choice = choice;
    choice = gn_conv_fwd_chosen(&p, l->threads);
    for (int i = 0; i < l->n; i++)
        if (l->choices[i].algorithm == choice.algorithm && l->choices[i].panels == choice.panels &&
            l->choices[i].pixels == choice.pixels)
            return;
    if (l->n < l->max)
        l->choices[l->n++] = choice;
}

/* Few large tasks suit one thread, many small ones several; blocks of columns suit filters that are larger than the caches. */
static void add_direct(list *l)
{
    static const int parts[] = {4, 2, 1, 8, 16, 64};
    gn_conv_taps t;
    gn_conv_taps_forward(l->p, &t);
    const int tiles = gn_conv_taps_tiles(&t), most = TASKS_MAX / t.groups;
    add(l, (gn_conv_choice){GN_CONV_DIRECT, 0, 0});
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        for (int panels = 1; panels <= t.panels && panels <= 16; panels *= 2)
            if (panels * parts[i] <= (most > 1 ? most : 1))
                add(l, (gn_conv_choice){GN_CONV_DIRECT, panels, parts[i] < tiles ? parts[i] : tiles});
}

static void add_winograd(list *l, gn_conv_algorithm algorithm)
{
    gn_conv p = *l->p;
    gn_wino w;
    p.choice = (gn_conv_choice){.algorithm = algorithm};
    if (!gn_wino_forward(&p, &w))
        return;
    add(l, p.choice);
    for (int rows = 1; rows <= 8; rows *= 2)
        for (int blocks = 1; blocks <= 4 && blocks <= w.panels; blocks *= 2)
            add(l, (gn_conv_choice){algorithm, blocks, (int)((w.rows + rows - 1) / rows)});
}

int gn_conv_fwd_choices(const gn_conv *p, bool is_plain, int threads, gn_conv_choice *choices, int max)
{
    gn_conv free_choice = *p;
    free_choice.choice = (gn_conv_choice){0};
    list l = {&free_choice, choices, 0, max, threads};
    add(&l, (gn_conv_choice){0});
    if (is_plain)
        return l.n;
    if (gn_wino_possible(p)) {
        add_winograd(&l, GN_CONV_WINOGRAD4);
        add_winograd(&l, GN_CONV_WINOGRAD2);
    }
    add_direct(&l);
    return l.n;
}

bool gn_conv_fwd_packs_alike(const gn_conv *p, gn_conv_choice a, gn_conv_choice b)
{
    gn_conv one = *p, other = *p;
    one.choice = a;
    other.choice = b;
    a = gn_conv_fwd_chosen(&one, 0);
    b = gn_conv_fwd_chosen(&other, 0);
    return is_wino(a.algorithm) || is_wino(b.algorithm) ? a.algorithm == b.algorithm : true;
}

double gn_conv_choice_work(gn_conv_choice choice)
{
    return choice.algorithm == GN_CONV_WINOGRAD4 ? 0.25 : choice.algorithm == GN_CONV_WINOGRAD2 ? 4.0 / 9 : 1;
}

void gn_conv_choice_name(gn_conv_choice choice, char dst[GN_CONV_CHOICE_NAME_BYTES])
{
    GN_ASSERT(choice.algorithm >= 0 && choice.algorithm < GN_CONV_ALGORITHMS);
    char panels[12] = "", pixels[12] = "";
    if (choice.panels > 0)
        snprintf(panels, sizeof panels, " p%d", choice.panels % 1000000);
    if (choice.pixels > 0)
        snprintf(pixels, sizeof pixels, " t%d", choice.pixels % 1000000);
    snprintf(dst, GN_CONV_CHOICE_NAME_BYTES, "%s%s%s", names[choice.algorithm], panels, pixels);
}

/* " pN" at *at, of which the letter is given. */
static bool parse_part(const char **at, char letter, int *out)
{
    if ((*at)[0] != ' ' || (*at)[1] != letter)
        return true;
    const char *digits = *at + 2;
    char *end = NULL;
    if (*digits < '1' || *digits > '9')
        return false;
    const long n = strtol(digits, &end, 10);
    if (n > PARTS_MAX)
        return false;
    *out = (int)n;
    *at = end;
    return true;
}

bool gn_conv_choice_parse(const char *name, gn_conv_choice *choice_out)
{
    for (int i = 0; i < GN_CONV_ALGORITHMS; i++) {
        const size_t n = strlen(names[i]);
        if (strncmp(name, names[i], n) != 0 || (name[n] != '\0' && name[n] != ' '))
            continue;
        gn_conv_choice choice = {.algorithm = (gn_conv_algorithm)i};
        const char *at = name + n;
        if (!parse_part(&at, 'p', &choice.panels) || !parse_part(&at, 't', &choice.pixels) || *at != '\0')
            return false;
        *choice_out = choice;
        return true;
    }
    return false;
}
