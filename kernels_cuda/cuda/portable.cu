// SPDX-License-Identifier: Apache-2.0
//
// One team of blocks a reply: logits are read in place, partial results meet in
// device memory. sm_80 and newer, and any size the contract allows.

#include "launch.h"
#include "reply.cuh"

namespace skynet {
namespace {

constexpr int kBlocksPerProcessor = 3;

// A team goes from reply to reply; all blocks of the launch run at once.
template <class Logit>
__global__ void __launch_bounds__(kThreads, kBlocksPerProcessor)
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
        make_block<DeviceLogits<Logit>>(&control, block_memory(), rank, blocks);
    join_team(&block, scratch, batch.team, turn);
    DeviceExec<Block<DeviceLogits<Logit>>, Team> exec(
        block, team, &batch.records[control.job.slot]);
    read_rows(exec);
    run_auction(exec);
    __syncthreads();
  }
}

using KernelFunction = void (*)(Batch);

KernelFunction kernel_of(LogitType type) {
  switch (type) {
    case LogitType::kF16:
      return portable_kernel<F16>;
    case LogitType::kBF16:
      return portable_kernel<Bf16>;
    default:
      return portable_kernel<F32>;
  }
}

}  // namespace

cudaError_t prepare_portable(const cudaDeviceProp& device,
                             Abilities* abilities) {
  const Layout largest =
      make_layout(kMaxRows, kMaxVocab, Mode::kSample, 1, 1, false);
  int each = kBlocksPerProcessor;
  for (const LogitType type :
       {LogitType::kF32, LogitType::kF16, LogitType::kBF16}) {
    int blocks = 0;
    const cudaError_t error = cudaOccupancyMaxActiveBlocksPerMultiprocessor(
        &blocks, kernel_of(type), kThreads, largest.shared_bytes);
    if (error != cudaSuccess) return error;
    each = min_int(each, blocks);
  }
  abilities->team_blocks = each * device.multiProcessorCount;
  return cudaSuccess;
}

cudaError_t launch_portable(const Launch& launch, cudaStream_t stream) {
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeCooperative;
  attribute.val.cooperative = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim =
      dim3(static_cast<unsigned>(launch.groups * launch.batch.blocks));
  config.blockDim = dim3(kThreads);
  config.dynamicSmemBytes = launch.shared_bytes;
  config.stream = stream;
  config.attrs = &attribute;
  config.numAttrs = 1;
  return cudaLaunchKernelEx(&config, kernel_of(launch.type), launch.batch);
}

}  // namespace skynet
