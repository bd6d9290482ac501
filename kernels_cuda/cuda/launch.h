// SPDX-License-Identifier: Apache-2.0
//
// The CUDA side of Kernel: how each is prepared once and launched. One
// translation unit a kernel, so that they compile side by side.
#ifndef SKYNET_CUDA_LAUNCH_H_
#define SKYNET_CUDA_LAUNCH_H_

#include <cuda_runtime_api.h>

#include "runtime.h"

namespace skynet {

// Raise the kernels' limits on a device and say what it can do.
cudaError_t prepare_cluster(const cudaDeviceProp& device, Abilities* abilities);
cudaError_t prepare_portable(const cudaDeviceProp& device,
                             Abilities* abilities);

// Only start: nothing here allocates or waits.
cudaError_t launch_naive(const Launch& launch, cudaStream_t stream);
cudaError_t launch_cluster(const Launch& launch, cudaStream_t stream);
cudaError_t launch_portable(const Launch& launch, cudaStream_t stream);

}  // namespace skynet

#endif  // SKYNET_CUDA_LAUNCH_H_
