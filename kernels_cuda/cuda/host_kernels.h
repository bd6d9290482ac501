// SPDX-License-Identifier: Apache-2.0
//
// The kernels on a CPU: the memory a GPU would give each block, and one
// HostExec a reply.
#ifndef SKYNET_CUDA_HOST_KERNELS_H_
#define SKYNET_CUDA_HOST_KERNELS_H_

#include <vector>

#include "exec_host.h"
#include "runtime.h"

namespace skynet {

class HostKernels {
 public:
  // Runs every reply of the launch, blocks and threads in the order given.
  void run(const Launch& launch, Order order);

 private:
  template <class Logits>
  void run_fused(const Batch& batch, const Job& job, Order order);

  void run_naive(const Launch& launch, const Job& job, int index, Order order);

  std::vector<Control> controls_;
  std::vector<char> shared_;
};

}  // namespace skynet

#endif  // SKYNET_CUDA_HOST_KERNELS_H_
