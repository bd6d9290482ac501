// SPDX-License-Identifier: Apache-2.0
//
// One instance of model "mpc": requests in, decided rows out. Triton never runs
// two execute calls of one instance at a time, so nothing here needs a lock.
#ifndef SKYNET_TRITON_MPC_INSTANCE_H_
#define SKYNET_TRITON_MPC_INSTANCE_H_

#include <memory>
#include <vector>

#include "../include/mpc_contract.h"
#include "mpc_model.h"
#include "tensor.h"

namespace skynet {
namespace mpc {

class Instance {
 public:
  static TRITONSERVER_Error* create(TRITONBACKEND_ModelInstance* handle,
                                    const Model& model,
                                    std::unique_ptr<Instance>* instance);

  // Answers and releases every request, each exactly once.
  void execute(TRITONBACKEND_Request** requests, uint32_t count);

 private:
  Instance(TRITONBACKEND_ModelInstance* handle, const Model& model)
      : handle_(handle), model_(model) {}

  TRITONSERVER_Error* run(TRITONBACKEND_Request* request);
  TRITONSERVER_Error* read(TRITONBACKEND_Request* request);
  TRITONSERVER_Error* write(TRITONBACKEND_Request* request,
                            TRITONBACKEND_Response* response) const;
  void count_rows() const;

  TRITONBACKEND_ModelInstance* handle_;
  const Model& model_;
  Batch batch_ = {};
  std::vector<char> mixture_, bid_, control_;  // where inputs come in pieces
  float weight_[kMaxRows];
  double decision_[kMaxRows * kDecision];
  Steps steps_[kMaxRows];
};

}  // namespace mpc
}  // namespace skynet

#endif  // SKYNET_TRITON_MPC_INSTANCE_H_
