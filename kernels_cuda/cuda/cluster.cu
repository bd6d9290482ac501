// SPDX-License-Identifier: Apache-2.0
//
// One thread-block cluster a reply: every row in shared memory, partial results
// through distributed shared memory. sm_90 and newer.

#include "launch.h"
#include "reply.cuh"

namespace skynet {
namespace {

// Three blocks a multiprocessor: while one loads, others compute.
template <class Logit>
__global__ void __launch_bounds__(kThreads, 3)
    cluster_kernel(const __grid_constant__ Batch batch) {
#if __CUDA_ARCH__ >= 900
  __shared__ Control control;
  const Cluster cluster;
  cluster.arrive();
  read_job(batch, Cluster::group(), &control);
  const auto block = make_block<SharedLogits<Logit>>(
      &control, block_memory(), Cluster::rank(), batch.blocks);
  DeviceExec<Block<SharedLogits<Logit>>, Cluster> exec(
      block, cluster, &batch.records[control.job.slot]);
  read_rows(exec);
  cluster.wait();  // every block runs: its shared memory may be written
  run_auction(exec);
#endif
}

using KernelFunction = void (*)(Batch);

KernelFunction kernel_of(LogitType type) {
  switch (type) {
    case LogitType::kF16:
      return cluster_kernel<F16>;
    case LogitType::kBF16:
      return cluster_kernel<Bf16>;
    default:
      return cluster_kernel<F32>;
  }
}

struct Config {
  cudaLaunchAttribute attribute = {};
  cudaLaunchConfig_t launch = {};

  Config(int clusters, int blocks, uint32_t shared_bytes, cudaStream_t stream) {
    attribute.id = cudaLaunchAttributeClusterDimension;
    attribute.val.clusterDim = {static_cast<unsigned>(blocks), 1, 1};
    launch.gridDim = dim3(static_cast<unsigned>(clusters * blocks));
    launch.blockDim = dim3(kThreads);
    launch.dynamicSmemBytes = shared_bytes;
    launch.stream = stream;
    launch.attrs = &attribute;
    launch.numAttrs = 1;
  }
};

}  // namespace

cudaError_t prepare_cluster(const cudaDeviceProp& device,
                            Abilities* abilities) {
  if (device.major < 9) return cudaSuccess;
  int shared = static_cast<int>(device.sharedMemPerBlockOptin);
  for (const LogitType type :
       {LogitType::kF32, LogitType::kF16, LogitType::kBF16}) {
    const auto kernel = reinterpret_cast<const void*>(kernel_of(type));
    cudaFuncAttributes attributes;
    cudaError_t error = cudaFuncGetAttributes(&attributes, kernel);
    if (error != cudaSuccess) return error;
    shared = min_int(shared, static_cast<int>(device.sharedMemPerBlockOptin -
                                              attributes.sharedSizeBytes));
    error = cudaFuncSetAttribute(
        kernel, cudaFuncAttributeNonPortableClusterSizeAllowed, 1);
    if (error != cudaSuccess) return error;
    error = cudaFuncSetAttribute(
        kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared);
    if (error != cudaSuccess) return error;
  }
  // Sixteen blocks only where the device can place them at their largest.
  const Config widest(1, kMaxCluster, static_cast<uint32_t>(shared), nullptr);
  int clusters = 0;
  const cudaError_t error = cudaOccupancyMaxActiveClusters(
      &clusters, kernel_of(LogitType::kF32), &widest.launch);
  if (error != cudaSuccess) cudaGetLastError();
  abilities->cluster_blocks =
      error == cudaSuccess && clusters > 0 ? kMaxCluster : 8;
  abilities->shared_bytes = static_cast<uint32_t>(shared);
  return cudaSuccess;
}

cudaError_t launch_cluster(const Launch& launch, cudaStream_t stream) {
  const Config config(launch.groups, launch.batch.blocks, launch.shared_bytes,
                      stream);
  return cudaLaunchKernelEx(&config.launch, kernel_of(launch.type),
                            launch.batch);
}

}  // namespace skynet
