// SPDX-License-Identifier: Apache-2.0
//
// What audits need: every row's kTop best tokens, and all rows' logits there.
// Included after kernel_blend.h.

#pragma once

#include "kernel_blend.h"

namespace skynet {
namespace {

// The kTop largest values offered; among equals, the lowest ids.
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
    int at = kTop;
    while (at > 0 && comes_before(v, which, at - 1)) --at;
    if (at == kTop) return;
    for (int i = kTop - 1; i > at; --i) {
      value[i] = value[i - 1];
      id[i] = id[i - 1];
    }
    value[at] = v;
    id[at] = which;
  }

 private:
  bool comes_before(float v, int32_t which, int i) const {
    return v > value[i] || (v == value[i] && which < id[i]);
  }
};

inline Best best_blocks(const float* block_max, int stride) {
  Best best;
  for (int b = 0; b < stride; b += Simd::kF) {
    const F least = Simd::set(best.value[kTop - 1]);
    unsigned bits = Simd::greater(Simd::load(block_max + b), least);
    for (; bits != 0; bits &= bits - 1) {
      const int block = b + __builtin_ctz(bits);
      best.offer(block_max[block], block);
    }
  }
  return best;
}

// The kTop best tokens lie in the kTop best blocks: each of those has a token
// that is at least as good as any token elsewhere and, if equal, has a lower
// id. The best block comes first, so that few offers are in vain.
inline Best best_tokens(const Auction& a, int row) {
  alignas(64) float buffer[kBlock];
  const Best blocks = best_blocks(a.block_max(row), a.ws.stride);
  Best best;
  for (int32_t b : blocks.id) {
    if (b < 0) break;
    const float* z = read_block(a.in, row, b, buffer);
    for (int j = 0; j < kBlock; j += Simd::kF) {
      const F least = Simd::set(best.value[kTop - 1]);
      unsigned bits = Simd::not_less(Simd::load(z + j), least);
      for (; bits != 0; bits &= bits - 1) {
        const int at = j + __builtin_ctz(bits);
        float value;
        memcpy(&value, z + at, sizeof value);
        best.offer(value, b * kBlock + at);
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
