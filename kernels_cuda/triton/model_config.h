// SPDX-License-Identifier: Apache-2.0
//
// Holds a model's config.pbtxt against the contract, once, at load.
#ifndef SKYNET_TRITON_MODEL_CONFIG_H_
#define SKYNET_TRITON_MODEL_CONFIG_H_

#include "triton_api.h"

namespace skynet {

// Finds the type of LOGITS; an error names the first entry that differs.
TRITONSERVER_Error* check_config(TRITONBACKEND_Model* model,
                                 TRITONSERVER_DataType* logits_type);

}  // namespace skynet

#endif  // SKYNET_TRITON_MODEL_CONFIG_H_
