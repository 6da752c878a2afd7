/* The edge runtime on numbers: raw f32 in, raw f32 out (the first output).
 *     run_numbers MODEL.onnx PICTURES INPUT.f32 OUTPUT.f32
 * INPUT.f32 holds PICTURES x C x H x W little-endian floats, normalised as the model wants them.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "gannet/gannet.h"

static float *read_floats(const char *path, size_t *n_out)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    fseek(file, 0, SEEK_END);
    long bytes = ftell(file);
    rewind(file);
    float *data = bytes > 0 ? malloc((size_t)bytes) : NULL;
    *n_out = data ? fread(data, sizeof *data, (size_t)bytes / sizeof *data, file) : 0;
    fclose(file);
    return data;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: %s MODEL.onnx PICTURES INPUT.f32 OUTPUT.f32\n", argv[0]);
        return 2;
    }
    gn_message message = {""};
    gn_model *model = NULL;
    int n = atoi(argv[2]), width = 0, height = 0, code = 1;
    size_t n_input = 0;
    float *input = read_floats(argv[3], &n_input);
    FILE *out = fopen(argv[4], "wb");
    if (gn_model_open(argv[1], NULL, &model, &message) == 0 && input && out && n > 0) {
        gn_model_input_size(model, &width, &height);
        const float *output = NULL;
        int64_t per_item = 0;
        if (n_input % (size_t)n == 0 && n_input / (size_t)n % ((size_t)width * (size_t)height) == 0 &&
            gn_model_run(model, input, n, &output, &per_item, &message) == 0)
            code = fwrite(output, sizeof *output, (size_t)(per_item * n), out) == (size_t)(per_item * n) ? 0 : 1;
    }
    if (code)
        fprintf(stderr, "cannot run: %s\n", *message.text ? message.text : "the input does not fit the model");
    if (out)
        fclose(out);
    gn_model_close(&model);
    free(input);
    return code;
}
