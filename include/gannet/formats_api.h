/* The formats stage as programs see it: models as ONNX files, weights as safetensors.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GANNET_FORMATS_API_H
#define GANNET_FORMATS_API_H

#include "formats/onnx/onnx_format.h"
#include "formats/weights/safetensors.h"

#endif
