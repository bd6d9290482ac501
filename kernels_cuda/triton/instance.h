// SPDX-License-Identifier: Apache-2.0
//
// One instance of the model: requests in, auctions on the accelerator or the
// CPU, answers out. Triton never runs two execute calls of one instance at a
// time, so nothing here needs a lock.
#ifndef SKYNET_TRITON_INSTANCE_H_
#define SKYNET_TRITON_INSTANCE_H_

#include <memory>
#include <thread>
#include <vector>

#include "../cpu/workspace.h"
#include "accelerator.h"
#include "model.h"
#include "request.h"

namespace skynet {

// One request on its way through a batch.
struct Job {
  TRITONBACKEND_Request* request = nullptr;
  TRITONSERVER_Error* error = nullptr;
  uint64_t began_ns = 0;
  bool ready = false;  // read, not yet auctioned
  Gather gather;
  Reply reply;

  void start(TRITONBACKEND_Request* with);
  void fail(TRITONSERVER_Error* with);
};

class Instance {
 public:
  static TRITONSERVER_Error* create(TRITONBACKEND_ModelInstance* handle,
                                    const Model& model,
                                    std::unique_ptr<Instance>* instance);
  ~Instance();

  // Answers and releases every request, each exactly once.
  void execute(TRITONBACKEND_Request** requests, uint32_t count);

 private:
  Instance(TRITONBACKEND_ModelInstance* handle, const Model& model)
      : handle_(handle), model_(model) {}

  TRITONSERVER_Error* open_accelerator();
  void run_batch(TRITONBACKEND_Request** requests, int count);
  void read(Job* job);
  // False when the accelerator was lost; its jobs stay ready for the CPU.
  bool run_on_accelerator(int count);
  void run_on_cpu(Job* job);
  void answer(Job* job, uint64_t computed_ns);
  void count_reply(const Reply& reply) const;
  void retire_accelerator(TRITONBACKEND_Request** requests, int count);

  TRITONBACKEND_ModelInstance* handle_;
  const Model& model_;
  Workspace workspace_;
  std::vector<std::unique_ptr<Job>> jobs_;
  std::unique_ptr<Accelerator> accelerator_;
  std::thread retirement_;  // closes a lost accelerator
};

}  // namespace skynet

#endif  // SKYNET_TRITON_INSTANCE_H_
