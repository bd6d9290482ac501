// SPDX-License-Identifier: Apache-2.0

#include "naive.h"

#include "launch.h"
#include "reply.cuh"

namespace skynet {
namespace {

struct Alone {};  // a block has no others to meet

using Exec = DeviceExec<NaiveBlock, Alone>;

__device__ __forceinline__ NaiveBlock block_of(const Batch& batch, int reply,
                                               LogitType type) {
  __shared__ alignas(16) char partial[kWarps * kPartialBytes];
  return naive_block(batch.scratch + reply * batch.scratch_bytes, partial,
                     type);
}

__device__ __forceinline__ Exec exec_of(const Batch& batch,
                                        const NaiveBlock& block) {
  return Exec(block, Alone(), &batch.records[block.job().slot]);
}

__global__ void __launch_bounds__(kThreads, 2)
    naive_jobs(const __grid_constant__ Batch batch) {
  const int reply = static_cast<int>(blockIdx.x);
  read_job(batch, reply,
           naive_block(batch.scratch + reply * batch.scratch_bytes, nullptr,
                       LogitType::kF32)
               .control);
}

__global__ void __launch_bounds__(kThreads, 2)
    naive_row_kernel(const __grid_constant__ Batch batch, LogitType type) {
  NaiveBlock block = block_of(batch, static_cast<int>(blockIdx.y), type);
  block.row = static_cast<int>(blockIdx.x);
  if (block.row >= block.rows()) return;
  Exec exec = exec_of(batch, block);
  naive_row(exec);
}

__global__ void __launch_bounds__(kThreads, 2)
    naive_token_kernel(const __grid_constant__ Batch batch, LogitType type) {
  const NaiveBlock block = block_of(batch, static_cast<int>(blockIdx.x), type);
  Exec exec = exec_of(batch, block);
  naive_token(exec);
}

__global__ void __launch_bounds__(kThreads, 2)
    naive_price_kernel(const __grid_constant__ Batch batch, LogitType type) {
  const NaiveBlock block = block_of(batch, static_cast<int>(blockIdx.x), type);
  Exec exec = exec_of(batch, block);
  naive_prices(exec);
}

}  // namespace

cudaError_t launch_naive(const Launch& launch, cudaStream_t stream) {
  const Batch& batch = launch.batch;
  const unsigned replies = static_cast<unsigned>(batch.count);
  naive_jobs<<<replies, kThreads, 0, stream>>>(batch);
  naive_row_kernel<<<dim3(kMaxRows, replies), kThreads, 0, stream>>>(
      batch, launch.type);
  naive_token_kernel<<<replies, kThreads, 0, stream>>>(batch, launch.type);
  naive_price_kernel<<<replies, kThreads, 0, stream>>>(batch, launch.type);
  return cudaGetLastError();
}

}  // namespace skynet
