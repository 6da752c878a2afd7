/* Dense convolution layers of known networks at pictures of 224 px, for timing.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_TESTS_KERNELS_CHECK_CONV_LAYERS_H
#define GN_TESTS_KERNELS_CHECK_CONV_LAYERS_H

/* size: input height and width; count: how often the network has this layer. */
typedef struct conv_layer {
    const char *network;
    int size, C, K, filter, stride, pad, count;
} conv_layer;

/* Ends with an entry whose network is NULL. */
extern const conv_layer conv_layers[];

#endif
