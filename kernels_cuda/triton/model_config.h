// SPDX-License-Identifier: Apache-2.0
//
// Holds a model's config.pbtxt against the contract, once, at load.
#ifndef SKYNET_TRITON_MODEL_CONFIG_H_
#define SKYNET_TRITON_MODEL_CONFIG_H_

#include "accelerator.h"
#include "triton_api.h"

namespace skynet {

struct ModelConfig {
  TRITONSERVER_DataType logits_type = TRITONSERVER_TYPE_INVALID;
  // Parameters "device" (auto, cpu, cuda, host) and "device_timeout_ms": how
  // long a batch may take before the CPU does it.
  DeviceChoice device = DeviceChoice::kAuto;
  int64_t device_timeout_us = 250 * 1000;
};

// An error names the first entry that differs from the contract.
TRITONSERVER_Error* read_config(TRITONBACKEND_Model* model,
                                ModelConfig* config);

}  // namespace skynet

#endif  // SKYNET_TRITON_MODEL_CONFIG_H_
