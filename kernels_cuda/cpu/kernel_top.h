// SPDX-License-Identifier: Apache-2.0
//
// What audits need: every row's kTop best tokens, and all rows' logits there.
// Included after kernel_blend.h.

#pragma once

#include "kernel_blend.h"

namespace skynet {
namespace {

// The kTop largest values offered so far; among equals, the first offered.
struct Best {
  float value[kTop];
  int32_t id[kTop];

  Best() {
    for (int i = 0; i < kTop; ++i) {
      value[i] = -INFINITY;
      id[i] = -1;
    }
  }
  void offer(float v, int32_t which) {
    if (!(v > value[kTop - 1])) return;
    int at = kTop - 1;
    for (; at > 0 && v > value[at - 1]; --at) {
      value[at] = value[at - 1];
      id[at] = id[at - 1];
    }
    value[at] = v;
    id[at] = which;
  }
};

// The kTop-th largest block maximum is a floor for the kTop best tokens: only
// blocks that reach it are read.
inline Best best_tokens(const Auction& a, int row) {
  alignas(64) float buffer[kBlock];
  const float* block_max = a.block_max(row);
  Best blocks, best;
  for (int b = 0; b < a.blocks; ++b) blocks.offer(block_max[b], b);
  const float floor = blocks.value[kTop - 1];
  for (int b = 0; b < a.blocks; ++b) {
    if (block_max[b] < floor || !(block_max[b] > best.value[kTop - 1])) {
      continue;
    }
    const float* z = read_block(a.in, row, b, buffer);
    for (int j = 0; j < kBlock; j += Simd::kF) {
      const F least = Simd::set(best.value[kTop - 1]);
      if (Simd::greater(Simd::load(z + j), least) == 0) continue;
      float lane[Simd::kF];
      Simd::store(lane, Simd::load(z + j));
      for (int i = 0; i < Simd::kF; ++i) {
        best.offer(lane[i], b * kBlock + j + i);
      }
    }
  }
  return best;
}

inline void write_top(const Auction& a, const TopResult& top) {
  int32_t id[kMaxRows * kTop];
  const int count = a.in.rows * kTop;
  for (int k = 0; k < a.in.rows; ++k) {
    const bool ok = a.rows[k].status == RowStatus::kOk;
    const Best best = ok ? best_tokens(a, k) : Best();
    memcpy(id + k * kTop, best.id, sizeof best.id);
  }
  if (top.id != nullptr) memcpy(top.id, id, sizeof(int32_t) * count);
  if (top.logit == nullptr) return;
  for (int k = 0; k < a.in.rows; ++k) {
    const bool ok = a.rows[k].status == RowStatus::kOk;
    float* logit = top.logit + static_cast<size_t>(k) * count;
    for (int i = 0; i < count; ++i) {
      logit[i] = ok && id[i] >= 0 ? logit_at(a.in, k, id[i]) : -INFINITY;
    }
  }
}

}  // namespace
}  // namespace skynet
