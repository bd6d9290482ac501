// SPDX-License-Identifier: Apache-2.0
//
// The kernels themselves: who runs which reply, and nothing else.
#ifndef SKYNET_CUDA_KERNELS_CUH_
#define SKYNET_CUDA_KERNELS_CUH_

#include "exec_device.cuh"

namespace skynet {

// A block's dynamic shared memory; the layout's offsets start here.
extern __shared__ Chunk dynamic_shared[];

__device__ __forceinline__ char* shared_bytes() {
  return reinterpret_cast<char*>(dynamic_shared);
}

__device__ __forceinline__ void read_job(const Batch& batch, int index,
                                         Control* control) {
  const Job* jobs = batch.jobs != nullptr ? batch.jobs : batch.inline_jobs;
  const uint32_t* from = reinterpret_cast<const uint32_t*>(jobs + index);
  uint32_t* to = reinterpret_cast<uint32_t*>(&control->job);
  for (int i = static_cast<int>(threadIdx.x); i < int{sizeof(Job) / 4};
       i += kThreads) {
    to[i] = from[i];
  }
  __syncthreads();
}

// One cluster a reply.
template <class Logit>
__global__ void __launch_bounds__(kThreads, 3)
    cluster_kernel(const __grid_constant__ Batch batch) {
#if __CUDA_ARCH__ >= 900
  __shared__ Control control;
  const Cluster cluster;
  cluster.arrive();
  read_job(batch, Cluster::group(), &control);
  const auto block = make_block<SharedLogits<Logit>>(
      &control, shared_bytes(), Cluster::rank(), batch.blocks);
  DeviceExec<SharedLogits<Logit>, Cluster> exec(
      block, cluster, &batch.records[control.job.slot]);
  read_rows(exec);
  cluster.wait();
  run_auction(exec);
#endif
}

// A team goes from reply to reply; all blocks of the launch run at once.
template <class Logit>
__global__ void __launch_bounds__(kThreads, 3)
    portable_kernel(const __grid_constant__ Batch batch) {
  __shared__ Control control;
  const int blocks = batch.blocks;
  const int group = static_cast<int>(blockIdx.x) / blocks;
  const int rank = static_cast<int>(blockIdx.x) % blocks;
  const int groups = static_cast<int>(gridDim.x) / blocks;
  char* scratch = batch.scratch + group * batch.scratch_bytes;
  const Team team = {reinterpret_cast<unsigned*>(scratch)};
  int turn = 0;
  for (int i = group; i < batch.count; i += groups, ++turn) {
    read_job(batch, i, &control);
    auto block =
        make_block<DeviceLogits<Logit>>(&control, shared_bytes(), rank, blocks);
    join_team(&block, scratch, batch.team, turn);
    DeviceExec<DeviceLogits<Logit>, Team> exec(
        block, team, &batch.records[control.job.slot]);
    read_rows(exec);
    run_auction(exec);
    __syncthreads();
  }
}

}  // namespace skynet

#endif  // SKYNET_CUDA_KERNELS_CUH_
