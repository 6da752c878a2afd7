/* Dense convolution layers of ResNet-18 (He et al. 2016), MobileNetV2 (Sandler et al. 2018) and SqueezeNet 1.1 (Iandola et al. 2016).
 * SPDX-License-Identifier: Apache-2.0 */
#include "check_conv_layers.h"

#include <stddef.h>

const conv_layer conv_layers[] = {
    {"resnet18", 224, 3, 64, 7, 2, 3, 1},         {"resnet18", 56, 64, 64, 3, 1, 1, 4},
    {"resnet18", 56, 64, 128, 3, 2, 1, 1},        {"resnet18", 56, 64, 128, 1, 2, 0, 1},
    {"resnet18", 28, 128, 128, 3, 1, 1, 3},       {"resnet18", 28, 128, 256, 3, 2, 1, 1},
    {"resnet18", 28, 128, 256, 1, 2, 0, 1},       {"resnet18", 14, 256, 256, 3, 1, 1, 3},
    {"resnet18", 14, 256, 512, 3, 2, 1, 1},       {"resnet18", 14, 256, 512, 1, 2, 0, 1},
    {"resnet18", 7, 512, 512, 3, 1, 1, 3},        {"resnet18", 1, 512, 1000, 1, 1, 0, 1},
    {"mobilenet_v2", 224, 3, 32, 3, 2, 1, 1},     {"mobilenet_v2", 112, 32, 16, 1, 1, 0, 1},
    {"mobilenet_v2", 112, 16, 96, 1, 1, 0, 1},    {"mobilenet_v2", 56, 96, 24, 1, 1, 0, 1},
    {"mobilenet_v2", 56, 24, 144, 1, 1, 0, 2},    {"mobilenet_v2", 56, 144, 24, 1, 1, 0, 1},
    {"mobilenet_v2", 28, 144, 32, 1, 1, 0, 1},    {"mobilenet_v2", 28, 32, 192, 1, 1, 0, 3},
    {"mobilenet_v2", 28, 192, 32, 1, 1, 0, 2},    {"mobilenet_v2", 14, 192, 64, 1, 1, 0, 1},
    {"mobilenet_v2", 14, 64, 384, 1, 1, 0, 4},    {"mobilenet_v2", 14, 384, 64, 1, 1, 0, 3},
    {"mobilenet_v2", 14, 384, 96, 1, 1, 0, 1},    {"mobilenet_v2", 14, 96, 576, 1, 1, 0, 3},
    {"mobilenet_v2", 14, 576, 96, 1, 1, 0, 2},    {"mobilenet_v2", 7, 576, 160, 1, 1, 0, 1},
    {"mobilenet_v2", 7, 160, 960, 1, 1, 0, 3},    {"mobilenet_v2", 7, 960, 160, 1, 1, 0, 2},
    {"mobilenet_v2", 7, 960, 320, 1, 1, 0, 1},    {"mobilenet_v2", 7, 320, 1280, 1, 1, 0, 1},
    {"mobilenet_v2", 1, 1280, 1000, 1, 1, 0, 1},  {"squeezenet1_1", 224, 3, 64, 3, 2, 0, 1},
    {"squeezenet1_1", 55, 64, 16, 1, 1, 0, 1},    {"squeezenet1_1", 55, 16, 64, 3, 1, 1, 2},
    {"squeezenet1_1", 27, 128, 32, 1, 1, 0, 1},   {"squeezenet1_1", 27, 32, 128, 3, 1, 1, 2},
    {"squeezenet1_1", 13, 256, 48, 1, 1, 0, 1},   {"squeezenet1_1", 13, 48, 192, 3, 1, 1, 2},
    {"squeezenet1_1", 13, 384, 64, 1, 1, 0, 1},   {"squeezenet1_1", 13, 64, 256, 3, 1, 1, 2},
    {"squeezenet1_1", 13, 512, 1000, 1, 1, 0, 1}, {NULL, 0, 0, 0, 0, 0, 0, 0},
};
