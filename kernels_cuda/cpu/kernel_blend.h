// SPDX-License-Identifier: Apache-2.0
//
// Step 3 of the vector paths: the largest blends and, per advertiser, the
// winner without it. Included after kernel_state.h.
//
// Block maxima bound every blend inside a block from above, so only the blocks
// that could hold a first or second place are evaluated, all in f64.

#pragma once

#include "kernel_state.h"

namespace skynet {
namespace {

// w_k P_k, N and B_-k of the block's 64 tokens, into the workspace. B_-k is
// added up without k, never N - w_k P_k: no cancellation, and a dropped row
// leaves no trace.
inline void evaluate_block(Auction& a, int block) {
  alignas(64) float buffer[kBlock];
  const int n = a.active_count;
  for (int s = 0; s < n; ++s) {
    const Row row = a.row(s);
    const D scale = Simd::set_d(row.weight * row.inv_z);
    const float* z = read_block(a.in, row.index, block, buffer);
    double* share = a.ws.share + s * kBlock;
    for (int j = 0; j < kBlock; j += Simd::kD) {
      const D e = exp_f64(Simd::widen(z + j), row);
      Simd::store_d(share + j, Simd::mul(e, scale));
    }
  }
  for (int j = 0; j < kBlock; j += Simd::kD) {
    D sum = Simd::set_d(0.0);
    for (int s = 0; s < n; ++s) {
      Simd::store_d(a.ws.without + s * kBlock + j, sum);
      sum = Simd::add(sum, Simd::load_d(a.ws.share + s * kBlock + j));
    }
    Simd::store_d(a.ws.blend + j, sum);
    sum = Simd::set_d(0.0);
    for (int s = n - 1; s >= 0; --s) {
      double* without = a.ws.without + s * kBlock + j;
      Simd::store_d(without, Simd::add(Simd::load_d(without), sum));
      sum = Simd::add(sum, Simd::load_d(a.ws.share + s * kBlock + j));
    }
  }
}

// Evaluates one token's block; share and rival are then the token's.
inline void evaluate_token(Auction& a, int token) {
  evaluate_block(a, token / kBlock);
  for (int s = 0; s < a.active_count; ++s) {
    a.share[s] = a.ws.share[s * kBlock + token % kBlock];
    a.rival[s] = a.ws.without[s * kBlock + token % kBlock];
  }
}

inline double largest_of(const double* values) {
  D largest = Simd::load_d(values);
  for (int j = Simd::kD; j < kBlock; j += Simd::kD) {
    largest = Simd::max(largest, Simd::load_d(values + j));
  }
  return Simd::hmax(largest);
}

// Evaluates a block once and enters its tokens in every ranking.
inline void visit_block(Auction& a, int block) {
  if (a.ws.seen[block]) return;
  a.ws.seen[block] = 1;
  evaluate_block(a, block);
  const int first = block * kBlock;
  const int count = min_int(kBlock, a.in.vocab - first);
  if (largest_of(a.ws.blend) > a.second) {
    for (int j = 0; j < count; ++j) {
      const double n = a.ws.blend[j];
      const bool lower_id = n == a.best.value && first + j < a.best.token;
      if (n > a.best.value || lower_id) {
        a.second = a.best.value;
        a.best = {n, first + j};
      } else if (n > a.second) {
        a.second = n;
      }
    }
  }
  for (int s = 0; s < a.active_count; ++s) {
    const double* without = a.ws.without + s * kBlock;
    if (!a.pays_clarke(s) || !(largest_of(without) > a.peak[s].value)) continue;
    for (int j = 0; j < count; ++j) {
      if (without[j] > a.peak[s].value) a.peak[s] = {without[j], first + j};
    }
  }
}

// Upper bounds on N, and on each B_-i, for kD neighbouring blocks.
struct Bounds {
  D blend;
  D share[kMaxRows];
  D without[kMaxRows];
};

inline void bound_blocks(const Auction& a, int block, Bounds* bounds) {
  D sum = Simd::set_d(0.0);
  for (int s = 0; s < a.active_count; ++s) {
    const float* block_exp = a.block_exp(a.active[s]) + block;
    bounds->share[s] =
        Simd::mul(Simd::widen(block_exp), Simd::set_d(a.row(s).to_share));
    bounds->without[s] = sum;
    sum = Simd::add(sum, bounds->share[s]);
  }
  bounds->blend = sum;
  sum = Simd::set_d(0.0);
  for (int s = a.active_count - 1; s >= 0; --s) {
    bounds->without[s] = Simd::add(bounds->without[s], sum);
    sum = Simd::add(sum, bounds->share[s]);
  }
}

// Upper bounds on N, for every block.
inline void bound_blends(Auction& a) {
  for (int b = 0; b < a.ws.stride; b += Simd::kD) {
    D sum = Simd::set_d(0.0);
    for (int s = 0; s < a.active_count; ++s) {
      const D e = Simd::widen(a.block_exp(a.active[s]) + b);
      sum = Simd::fma(e, Simd::set_d(a.row(s).to_share), sum);
    }
    Simd::store_d(a.ws.bound + b, sum);
  }
}

// The most promising blocks first, so that the bounds prune early.
inline void visit_promising(Auction& a) {
  constexpr int kFirst = 4;
  int top[kFirst] = {0, 0, 0, 0};
  double value[kFirst] = {-1.0, -1.0, -1.0, -1.0};
  for (int b = 0; b < a.blocks; ++b) {
    if (!(a.ws.bound[b] > value[kFirst - 1])) continue;
    int at = kFirst - 1;
    for (; at > 0 && a.ws.bound[b] > value[at - 1]; --at) {
      value[at] = value[at - 1];
      top[at] = top[at - 1];
    }
    value[at] = a.ws.bound[b];
    top[at] = b;
  }
  for (int block : top) visit_block(a, block);
  for (int s = 0; s < a.active_count; ++s) {
    visit_block(a, a.row(s).top_token / kBlock);
  }
}

// The blocks of kD from b on that may hold a new best, second or peak.
inline unsigned open_blocks(const Auction& a, int b, double bar) {
  Bounds bounds;
  bound_blocks(a, b, &bounds);
  unsigned open = Simd::greater(bounds.blend, Simd::set_d(bar));
  for (int s = 0; s < a.active_count; ++s) {
    if (!a.pays_clarke(s)) continue;
    open |= Simd::greater(bounds.without[s], Simd::set_d(a.peak[s].value));
  }
  return open;
}

// Finds best, second and every peak. Blends under 2^-60 of the best cannot
// change a margin, so blocks of impossible tokens are left alone.
inline void find_peaks(Auction& a) {
  memset(a.ws.seen, 0, static_cast<size_t>(a.ws.stride));
  a.best = {-1.0, a.in.vocab};
  a.second = -1.0;
  for (int s = 0; s < a.active_count; ++s) a.peak[s] = {-1.0, 0};
  bound_blends(a);
  visit_promising(a);
  for (int b = 0; b < a.blocks; b += Simd::kD) {
    const double noise = a.best.value * 0x1p-60;
    const double bar = a.second > noise ? a.second : noise;
    double least = bar;
    for (int s = 0; s < a.active_count; ++s) {
      const double peak = a.peak[s].value;
      if (a.pays_clarke(s) && peak < least) least = peak;
    }
    const D blends = Simd::load_d(a.ws.bound + b);
    if (Simd::greater(blends, Simd::set_d(least)) == 0) continue;
    for (unsigned open = open_blocks(a, b, bar); open != 0; open &= open - 1) {
      const int block = b + __builtin_ctz(open);
      if (block < a.blocks) visit_block(a, block);
    }
  }
  if (a.second < 0.0) a.second = 0.0;
}

// Among blends equal within kTieRel, moves best to the lowest id.
inline void settle_tie(Auction& a) {
  const double least = a.best.value * (1.0 - kTieRel);
  for (int b = 0; b <= a.best.token / kBlock; ++b) {
    if (a.ws.bound[b] < least) continue;
    evaluate_block(a, b);
    const int count = min_int(kBlock, a.in.vocab - b * kBlock);
    for (int j = 0; j < count; ++j) {
      if (a.ws.blend[j] < least) continue;
      const int token = b * kBlock + j;
      if (token != a.best.token) a.second = a.best.value;
      a.best = {a.ws.blend[j], token};
      return;
    }
  }
}

}  // namespace
}  // namespace skynet
