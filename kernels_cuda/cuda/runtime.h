// SPDX-License-Identifier: Apache-2.0
//
// What the engine needs of a device. Two builds, two implementations:
// runtime_cuda.cu drives a GPU, runtime_host.cc runs the same kernels on a CPU
// thread. copy, launch and failed are the only calls between submit and wait;
// none of them allocates or waits for the device.
#ifndef SKYNET_CUDA_RUNTIME_H_
#define SKYNET_CUDA_RUNTIME_H_

#include <memory>
#include <string>

#include "device.h"
#include "job.h"

namespace skynet {

// What a device can do; 0 where it cannot.
struct Abilities {
  std::string name;       // "NVIDIA H100 80GB HBM3, sm_90"
  int processors;         // multiprocessors
  int team_blocks;        // blocks of the portable kernel that run at once
  int cluster_blocks;     // largest cluster
  uint32_t shared_bytes;  // of one block of the cluster kernel, at most
};

struct Launch {
  Kernel kernel;
  LogitType type;
  int groups;  // clusters or teams
  uint32_t shared_bytes;
  Batch batch;
};

// Host memory the device reads and writes in place.
struct Mapped {
  void* host;
  void* device;
};

class Runtime {
 public:
  // Null on failure, with a sentence in *error.
  static std::unique_ptr<Runtime> open(int device, std::string* error);
  virtual ~Runtime() = default;

  virtual const Abilities& abilities() const = 0;
  // The CUDA stream everything runs on; null on the CPU.
  virtual void* stream() const = 0;

  // Zeroed; null host or device when memory ran out. Freed by close.
  virtual Mapped map(size_t bytes) = 0;
  virtual void* allocate(size_t bytes) = 0;

  // Stream-ordered; false if the call was refused.
  virtual bool copy(void* device, const void* mapped, size_t bytes) = 0;
  virtual bool launch(const Launch& launch) = 0;
  // True once the stream has met an error.
  virtual bool failed() = 0;

  // Frees everything, or leaves it to the process's end if the stream does not
  // come to rest within timeout_us or the device does not within as much again.
  // The library must stay loaded then.
  virtual void close(int64_t timeout_us) = 0;
};

}  // namespace skynet

#endif  // SKYNET_CUDA_RUNTIME_H_
