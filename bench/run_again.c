/* The same inference several times, by one thread: for counting the instructions of one as the difference of two counts.
 *     run_again MODEL.onnx RUNS
 * Prints the sum of the first output's numbers, by which runs on different machines can be compared.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "gannet/gannet.h"

enum { CHANNELS = 3 };

/* Numbers from -1 to 1 without a pattern. */
static void fill(float *x, size_t n)
{
    uint32_t state = 1;
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525U + 1013904223U;
        x[i] = (float)(state >> 8) * 0x1p-23F - 1;
    }
}

int main(int argc, char **argv)
{
    if (argc != 3 || atoi(argv[2]) < 1) {
        fprintf(stderr, "usage: run_again MODEL.onnx RUNS\n");
        return 2;
    }
    const gn_model_options options = {.threads = 1};
    gn_message message = {""};
    gn_model *model = NULL;
    const float *output = NULL;
    int64_t n_output = 0;
    int width = 0, height = 0, code = gn_model_open(argv[1], &options, &model, &message);
    if (code == 0)
        gn_model_input_size(model, &width, &height);
    const size_t n = (size_t)width * (size_t)height * CHANNELS;
    float *input = malloc((n + 1) * sizeof *input);
    if (input)
        fill(input, n);
    for (int i = 0; code == 0 && input && i < atoi(argv[2]); i++)
        code = gn_model_run(model, input, 1, &output, &n_output, &message);
    double sum = 0;
    for (int64_t i = 0; output && i < n_output; i++)
        sum += (double)output[i];
    if (code == 0 && output)
        printf("%.6g\n", sum);
    else
        fprintf(stderr, "run_again: %s\n", message.text);
    gn_model_close(&model);
    free(input);
    return code == 0 && output ? 0 : 1;
}
