// SPDX-License-Identifier: Apache-2.0
//
// Everything an engine needs besides its stream, taken once when it opens.
#ifndef SKYNET_CUDA_MEMORY_H_
#define SKYNET_CUDA_MEMORY_H_

#include "device.h"
#include "runtime.h"

namespace skynet {

struct Memory {
  // The kernels write, the host reads.
  Mapped records, top_id, top_logit;
  // The host writes; copied to the device in stream order.
  Mapped jobs, staging;
  Job* device_jobs;
  char* device_staging;
  // The kernels' own.
  Candidate* candidates;
  int32_t* ids;
  char* scratch;
  size_t scratch_bytes;  // of one team, or of one reply of the naive kernel
  int scratch_count;
  size_t staged_bytes;

  // False when memory ran out.
  bool reserve(Runtime& runtime, const DeviceOptions& options);
};

}  // namespace skynet

#endif  // SKYNET_CUDA_MEMORY_H_
