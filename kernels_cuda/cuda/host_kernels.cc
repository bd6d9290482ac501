// SPDX-License-Identifier: Apache-2.0

#include "host_kernels.h"

#include "naive.h"

namespace skynet {
namespace {

// Hardware fma where there is one; the library's gives the same bits.
#define SKYNET_CLONES __attribute__((target_clones("arch=haswell", "default")))

}  // namespace

template <class Logits>
void HostKernels::run_fused(const Batch& batch, const Job& job, Order order) {
  const Layout at =
      make_layout(job.rows, job.vocab, job.mode, kChunks<typename Logits::Type>,
                  batch.blocks, Logits::kResident);
  controls_.resize(static_cast<size_t>(batch.blocks));
  shared_.resize(static_cast<size_t>(batch.blocks) * at.shared_bytes + 16);
  const size_t lead = -reinterpret_cast<uintptr_t>(shared_.data()) % 16;
  Block<Logits> blocks[kMaxTeam];
  for (int rank = 0; rank < batch.blocks; ++rank) {
    Control* control = &controls_[static_cast<size_t>(rank)];
    char* own = shared_.data() + lead + rank * size_t{at.shared_bytes};
    control->job = job;
    control->top = top_memory(batch, job.slot);
    blocks[rank] = make_block<Logits>(control, own, rank, batch.blocks);
    if constexpr (!Logits::kResident) {
      join_team(&blocks[rank], batch.scratch, batch.team, 0);
    }
  }
  HostExec<Block<Logits>> exec(blocks, batch.blocks, order,
                               &batch.records[job.slot]);
  read_rows(exec);
  run_auction(exec);
}

void HostKernels::run_naive(const Launch& launch, const Job& job, int index,
                            Order order) {
  const Batch& batch = launch.batch;
  char* memory =
      batch.scratch + static_cast<size_t>(index) * batch.scratch_bytes;
  char partial[kWarps * kPartialBytes];
  NaiveBlock block = naive_block(memory, partial, launch.type);
  block.control->job = job;
  block.control->top = top_memory(batch, job.slot);
  HostExec<NaiveBlock> exec(&block, 1, order, &batch.records[job.slot]);
  for (block.row = 0; block.row < job.rows; ++block.row) naive_row(exec);
  naive_token(exec);
  naive_prices(exec);
}

void HostKernels::run(const Launch& launch, Order order) {
  const Batch& batch = launch.batch;
  const Job* jobs = batch.jobs != nullptr ? batch.jobs : batch.inline_jobs;
  for (int i = 0; i < batch.count; ++i) {
    if (launch.kernel == Kernel::kNaive) {
      run_naive(launch, jobs[i], i, order);
      continue;
    }
    const bool resident = launch.kernel == Kernel::kCluster;
    switch (launch.type) {
      case LogitType::kF32:
        resident ? run_fused<SharedLogits<F32>>(batch, jobs[i], order)
                 : run_fused<DeviceLogits<F32>>(batch, jobs[i], order);
        break;
      case LogitType::kF16:
        resident ? run_fused<SharedLogits<F16>>(batch, jobs[i], order)
                 : run_fused<DeviceLogits<F16>>(batch, jobs[i], order);
        break;
      case LogitType::kBF16:
        resident ? run_fused<SharedLogits<Bf16>>(batch, jobs[i], order)
                 : run_fused<DeviceLogits<Bf16>>(batch, jobs[i], order);
        break;
    }
  }
}

}  // namespace skynet
