// SPDX-License-Identifier: Apache-2.0
//
// What lives as long as a model version, and as long as one of its instances.
#ifndef SKYNET_TRITON_MODEL_H_
#define SKYNET_TRITON_MODEL_H_

#include <memory>
#include <vector>

#include "../cpu/workspace.h"
#include "metrics.h"
#include "request.h"

namespace skynet {

struct Model {
  static TRITONSERVER_Error* create(TRITONBACKEND_Model* handle,
                                    const MetricFamilies& families,
                                    std::unique_ptr<Model>* model);

  TRITONSERVER_DataType logits_type = TRITONSERVER_TYPE_INVALID;
  std::unique_ptr<Metrics> metrics;
};

// Triton never runs two execute calls of one instance at a time, so the
// workspace needs no lock.
class Instance {
 public:
  Instance(TRITONBACKEND_ModelInstance* handle, const Model& model)
      : handle_(handle), model_(model) {}

  // Answers and releases every request, each exactly once.
  void execute(TRITONBACKEND_Request** requests, uint32_t count);

 private:
  TRITONSERVER_Error* auction(TRITONBACKEND_Request* request, Reply* reply,
                              uint64_t* kernel_ns);
  void answer(TRITONBACKEND_Request* request, const Reply& reply,
              TRITONSERVER_Error* error, bool* success);
  void count_reply(const Reply& reply) const;

  TRITONBACKEND_ModelInstance* handle_;
  const Model& model_;
  Workspace workspace_;
  Gather gather_;
  std::unique_ptr<Reply> reply_ = std::make_unique<Reply>();
};

}  // namespace skynet

#endif  // SKYNET_TRITON_MODEL_H_
