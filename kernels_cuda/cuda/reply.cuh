// SPDX-License-Identifier: Apache-2.0
//
// What every kernel begins with.
#ifndef SKYNET_CUDA_REPLY_CUH_
#define SKYNET_CUDA_REPLY_CUH_

#include "exec_device.cuh"

namespace skynet {

// A block's dynamic shared memory; the layout's offsets start here.
extern __shared__ Chunk dynamic_shared[];

__device__ __forceinline__ char* block_memory() {
  return reinterpret_cast<char*>(dynamic_shared);
}

__device__ __forceinline__ void read_job(const Batch& batch, int index,
                                         Control* control) {
  const Job* jobs = batch.jobs != nullptr ? batch.jobs : batch.inline_jobs;
  const uint32_t* from = reinterpret_cast<const uint32_t*>(jobs + index);
  uint32_t* to = reinterpret_cast<uint32_t*>(&control->job);
  const int words = static_cast<int>(sizeof(Job) / 4);
  for (int i = static_cast<int>(threadIdx.x); i < words; i += kThreads) {
    to[i] = from[i];
  }
  if (threadIdx.x == 0) control->top = top_memory(batch, jobs[index].slot);
  __syncthreads();
}

}  // namespace skynet

#endif  // SKYNET_CUDA_REPLY_CUH_
