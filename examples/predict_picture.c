/* The edge runtime in one page: boxes of pictures as text.
 *     predict_picture best.onnx photo.jpg ...
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "gannet/gannet.h"

#define MAX_FOUND 100

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s MODEL.onnx PICTURE...\n", argv[0]);
        return 2;
    }
    gn_message message;
    gn_model *model = NULL;
    if (gn_model_open(argv[1], NULL, &model, &message) != 0) {
        fprintf(stderr, "%s\n", message.text);
        return 1;
    }
    int n_failed = 0;
    for (int i = 2; i < argc; i++) {
        gn_found found[MAX_FOUND];
        int n = 0;
        if (gn_model_predict_file(model, argv[i], found, MAX_FOUND, &n, &message) != 0) {
            fprintf(stderr, "%s\n", message.text);
            n_failed++;
            continue;
        }
        for (int k = 0; k < n; k++)
            printf("%s: %s %.2f at %.0f %.0f %.0f %.0f\n", argv[i], gn_model_class_name(model, found[k].cls),
                   (double)found[k].score, (double)found[k].x1, (double)found[k].y1, (double)found[k].x2,
                   (double)found[k].y2);
        int64_t ns[3];
        gn_model_times(model, ns);
        printf("%s: %.1f ms before, %.1f ms in the network, %.1f ms after\n", argv[i], (double)ns[0] * 1e-6,
               (double)ns[1] * 1e-6, (double)ns[2] * 1e-6);
    }
    gn_model_close(&model);
    return n_failed ? 1 : 0;
}
