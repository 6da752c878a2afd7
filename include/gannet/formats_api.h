/* The formats stage as programs see it: models as ONNX files, weights as safetensors, other people's weights and networks.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GANNET_FORMATS_API_H
#define GANNET_FORMATS_API_H

#include "formats/onnx/onnx_check_trt.h"
#include "formats/darknet/darknet.h"
#include "formats/darknet/darknet_names.h"
#include "formats/onnx/onnx_format.h"
#include "formats/weights/safetensors.h"
#include "formats/weights/safetensors_model.h"
#include "formats/weights/weights.h"

#endif
