// SPDX-License-Identifier: Apache-2.0

#include "host_kernels.h"

namespace skynet {
namespace {

// Hardware fma where there is one; the library's gives the same bits.
#define SKYNET_CLONES __attribute__((target_clones("arch=haswell", "default")))

template <class Logits>
Block<Logits> host_block(const Batch& batch, const Job& job, Control* control,
                         char* shared, int rank) {
  control->job = job;
  return make_block<Logits>(control, job, shared, batch.scratch, rank,
                            batch.blocks);
}

}  // namespace

template <class Logits>
void HostKernels::run_fused(const Batch& batch, const Job& job, Order order) {
  const Layout at =
      make_layout(job.rows, job.vocab, kChunks<typename Logits::Type>,
                  batch.blocks, Logits::kResident);
  controls_.resize(batch.blocks);
  shared_.resize(static_cast<size_t>(batch.blocks) * at.shared_bytes + 16);
  const size_t lead = -reinterpret_cast<uintptr_t>(shared_.data()) % 16;
  Block<Logits> blocks[kMaxBlocks];
  for (int rank = 0; rank < batch.blocks; ++rank) {
    char* own = shared_.data() + lead + rank * size_t{at.shared_bytes};
    blocks[rank] = host_block<Logits>(batch, job, &controls_[rank], own, rank);
  }
  HostExec<Logits> exec(blocks, batch.blocks, order, &batch.records[job.slot]);
  run_auction(exec);
}

void HostKernels::run(const Launch& launch, Order order) {
  const Batch& batch = launch.batch;
  const Job* jobs = batch.jobs != nullptr ? batch.jobs : batch.inline_jobs;
  for (int i = 0; i < batch.count; ++i) {
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
