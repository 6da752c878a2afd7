/* From the command line to a verb.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli_cfg.h"
#include "cli/cli_progress.h"
#include "cli/cli_verbs.h"

#define MAX_VERBS 64

static int print_overview(FILE *to)
{
    fputs("Usage: gannet VERB [arguments]\n\n"
          "Trains, searches, compresses, exports and measures small detectors.\n",
          to);
    const char *group = "";
    for (size_t i = 0; gn_verbs[i]; i++) {
        if (!gn_verbs[i]->group)
            continue;
        if (strcmp(group, gn_verbs[i]->group) != 0)
            fprintf(to, "\n%s:\n", gn_verbs[i]->group);
        group = gn_verbs[i]->group;
        fprintf(to, "  %-10s %s\n", gn_verbs[i]->name, gn_verbs[i]->summary);
    }
    fputs("\ngannet VERB --help tells all about a verb; gannet --version tells the version.\n"
          "Exit codes: 0 done, 1 failed, 2 usage, 3 bad input, 4 below a floor, 5 measurement invalid.\n",
          to);
    return 0;
}

static const gn_verb *find_verb(const char *name)
{
    for (size_t i = 0; gn_verbs[i]; i++)
        if (strcmp(gn_verbs[i]->name, name) == 0)
            return gn_verbs[i];
    return NULL;
}

static int fail_verb(const char *given)
{
    const char *names[MAX_VERBS];
    size_t n = 0;
    for (size_t i = 0; gn_verbs[i] && n < MAX_VERBS; i++)
        if (gn_verbs[i]->group)
            names[n++] = gn_verbs[i]->name;
    const char *nearest = gn_nearest(given, names, n);
    if (nearest)
        fprintf(stderr, "gannet: there is no verb \"%s\"; did you mean %s?\n", given, nearest);
    else
        fprintf(stderr, "gannet: there is no verb \"%s\"; gannet --help lists all\n", given);
    return 2;
}

/* A full disk or a closed pipe shows when the last buffer is written. */
static int flush_output(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "gannet: cannot write to standard output: %s\n", strerror(errno));
    return code ? code : 1;
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2) {
        print_overview(stderr);
        return 2;
    }
    const char *first = argv[1];
    if (strcmp(first, "--version") == 0 || strcmp(first, "-V") == 0)
        return printf("gannet %s\n", GN_VERSION) < 0;
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0 || (strcmp(first, "help") == 0 && argc < 3))
        return print_overview(stdout);
    if (strcmp(first, "help") == 0) {
        const gn_verb *verb = find_verb(argv[2]);
        char help[] = "--help";
        char *args[] = {argv[2], help, NULL};
        return verb ? verb->run(2, args) : fail_verb(argv[2]);
    }
    const gn_verb *verb = find_verb(first);
    return verb ? verb->run(argc - 1, argv + 1) : fail_verb(first);
}

int gn_cli_main(int argc, char **argv)
{
    gn_cli_signals_begin();
    gn_args_set_cfg_reader(gn_cli_read_cfg);
    return flush_output(dispatch(argc, argv));
}
