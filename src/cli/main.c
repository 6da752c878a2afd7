/* Entry point of the program.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_verbs.h"

int main(int argc, char **argv)
{
    return gn_cli_main(argc, argv);
}
