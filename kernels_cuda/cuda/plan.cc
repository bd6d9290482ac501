// SPDX-License-Identifier: Apache-2.0

#include "plan.h"

namespace skynet {
namespace {

// Fewer octets than this keep a block's threads waiting for one another.
constexpr int kWorthwhileOctets = kThreads;
// Three blocks of this much, and what else they need, fit a multiprocessor with
// 228 KiB of shared memory: while one loads, others compute.
constexpr uint32_t kThirdBytes = 66 * 1024;

int worthwhile_blocks(int vocab, int most) {
  const int octets = divide_up(vocab, kOctet);
  int blocks = 1;
  while (2 * blocks <= most && octets >= 2 * blocks * kWorthwhileOctets) {
    blocks *= 2;
  }
  return blocks;
}

bool fits(const AuctionInput& in, int blocks, uint32_t bytes) {
  const Plan plan = {Kernel::kCluster, blocks};
  return plan_layout(plan, in.type, in.mode, in.rows, in.vocab).shared_bytes <=
         bytes;
}

// A lone reply takes as many blocks as have work. When replies wait for room,
// few large parts cost fewer exchanges, as long as three fit a multiprocessor.
int cluster_blocks(const Abilities& device, const AuctionInput& in, int batch) {
  const int most = device.cluster_blocks;
  const int wide = worthwhile_blocks(in.vocab, most);
  const bool crowded = batch * wide > device.processors;
  int blocks = crowded ? 1 : wide;
  while (blocks < most && crowded && !fits(in, blocks, kThirdBytes)) {
    blocks *= 2;
  }
  while (blocks <= most && !fits(in, blocks, device.shared_bytes)) blocks *= 2;
  return blocks <= most ? blocks : 0;
}

int team_blocks(const Abilities& device, const AuctionInput& in, int batch) {
  const int each = device.team_blocks / batch;
  const int most = each < 1 ? 1 : min_int(each, kMaxTeam);
  return worthwhile_blocks(in.vocab, most);
}

}  // namespace

Layout plan_layout(const Plan& plan, LogitType type, Mode mode, int rows,
                   int vocab) {
  const int chunks = type == LogitType::kF32 ? 2 : 1;
  return make_layout(rows, vocab, mode, chunks, plan.blocks,
                     plan.kernel == Kernel::kCluster);
}

Plan make_plan(const Abilities& device, Kernel wanted, const AuctionInput& in,
               int batch) {
  if (wanted == Kernel::kNaive) return {Kernel::kNaive, 1};
  if (wanted != Kernel::kPortable && device.cluster_blocks > 0) {
    const int blocks = cluster_blocks(device, in, batch);
    if (blocks > 0) return {Kernel::kCluster, blocks};
  }
  if (wanted == Kernel::kCluster) return {Kernel::kAuto, 0};
  return {Kernel::kPortable, team_blocks(device, in, batch)};
}

}  // namespace skynet
