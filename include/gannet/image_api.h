/* The image stage as programs see it: decoding, resizing, letterboxing, videos.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GANNET_IMAGE_API_H
#define GANNET_IMAGE_API_H

#include "image/codec.h"
#include "image/image.h"
#include "image/resize.h"
#include "image/video.h"

#endif
