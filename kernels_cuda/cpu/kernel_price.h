// SPDX-License-Identifier: Apache-2.0
//
// Step 3 of the vector paths: Clarke payments and critical bids. Included
// after kernel_blend.h.

#pragma once

#include "kernel_blend.h"

namespace skynet {
namespace {

struct Price {
  double pay;           // Clarke
  double critical_bid;  // threshold
  double spread;        // P_i(t) - P_i(x) at the binding x, times w_i
};

// pay_i = max B_-i - B_-i(t), within [0, w_i P_i(t)]; 0 exactly if t is also a
// winner without i.
inline double clarke(const Auction& a, int slot) {
  const double pay = a.peak[slot].value - a.rival[slot];
  if (!a.pays(slot) || pay <= kTieRel * a.peak[slot].value) return 0.0;
  return pay < a.share[slot] ? pay : a.share[slot];
}

// The bid at which t and column j of the evaluated block tie, if t needs one:
// (B(x) - B(t)) / (P_i(t) - P_i(x)) = w_i (B(x) - B(t)) / (w_i P_i(t) - ...).
inline void raise_bid(const Auction& a, int slot, int j, Price* price) {
  const double spread = a.share[slot] - a.ws.share[slot * kBlock + j];
  const double lead = a.ws.without[slot * kBlock + j] - a.rival[slot];
  if (!(spread > 0.0) || !(lead > 0.0)) return;
  const double bid = a.row(slot).weight * (lead / spread);
  if (bid > price->critical_bid) {
    price->critical_bid = bid;
    price->spread = spread;
  }
}

// Starting from the token that wins without i, only blocks that could still
// beat t at the bid found so far are evaluated (Dinkelbach's argument).
inline void find_critical_bids(Auction& a, Price* price) {
  bool any = false;
  for (int s = 0; s < a.active_count; ++s) {
    if (price[s].pay <= 0.0) continue;
    any = true;
    evaluate_block(a, a.peak[s].token / kBlock);
    raise_bid(a, s, a.peak[s].token % kBlock, &price[s]);
  }
  if (!any) return;
  Bounds bounds;
  for (int b = 0; b < a.blocks; b += Simd::kD) {
    unsigned open = 0;
    bound_blocks(a, b, &bounds);
    for (int s = 0; s < a.active_count; ++s) {
      if (price[s].pay <= 0.0) continue;
      const double part = price[s].critical_bid / a.row(s).weight;
      const D reach =
          Simd::fma(bounds.share[s], Simd::set_d(part), bounds.without[s]);
      const double bar = a.rival[s] + part * a.share[s];
      open |= Simd::greater(reach, Simd::set_d(bar));
    }
    for (; open != 0; open &= open - 1) {
      const int block = b + __builtin_ctz(open);
      if (block >= a.blocks) continue;
      evaluate_block(a, block);
      const int count = min_int(kBlock, a.in.vocab - block * kBlock);
      for (int s = 0; s < a.active_count; ++s) {
        if (price[s].pay <= 0.0) continue;
        for (int j = 0; j < count; ++j) raise_bid(a, s, j, &price[s]);
      }
    }
  }
}

// False if f32 normalisers leave a payment's sign or a bid's sixth decimal in
// doubt: the caller then repeats with f64 normalisers.
inline bool set_prices(Auction& a, Price* price) {
  evaluate_block(a, a.best.token / kBlock);
  const int column = a.best.token % kBlock;
  bool sure = true;
  for (int s = 0; s < a.active_count; ++s) {
    a.share[s] = a.ws.share[s * kBlock + column];
    a.rival[s] = a.ws.without[s * kBlock + column];
    price[s] = {clarke(a, s), 0.0, 0.0};
    if (price[s].pay > 0.0) {
      sure &= price[s].pay > kNearTieRel * a.peak[s].value;
    }
  }
  find_critical_bids(a, price);
  for (int s = 0; s < a.active_count; ++s) {
    if (price[s].pay <= 0.0) continue;
    sure &= price[s].spread * 256.0 > a.rival[s] + a.peak[s].value;
    const double weight = a.row(s).weight;
    if (price[s].critical_bid > weight) price[s].critical_bid = weight;
  }
  return sure;
}

}  // namespace
}  // namespace skynet
