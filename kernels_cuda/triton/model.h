// SPDX-License-Identifier: Apache-2.0
//
// What lives as long as a model version.
#ifndef SKYNET_TRITON_MODEL_H_
#define SKYNET_TRITON_MODEL_H_

#include <memory>

#include "metrics.h"
#include "model_config.h"

namespace skynet {

struct Model {
  static TRITONSERVER_Error* create(TRITONBACKEND_Model* handle,
                                    const MetricFamilies& families,
                                    std::unique_ptr<Model>* model);

  ModelConfig config;
  std::unique_ptr<Counters> metrics;
};

}  // namespace skynet

#endif  // SKYNET_TRITON_MODEL_H_
