// SPDX-License-Identifier: Apache-2.0
//
// Step 4 of the vector paths in argmax mode: Clarke payments and critical
// bids. Included after kernel_blend.h.

#pragma once

#include "kernel_blend.h"

namespace skynet {
namespace {

struct Price {
  double pay;
  double critical_bid;
  double spread;     // P_i(t) - P_i(x) at the binding x, times w_i
  double spread_of;  // the sum of both sides
  double lead;       // B_-i(x) - B_-i(t) there
  double lead_of;
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
  const double share = a.ws.share[slot * kBlock + j];
  const double without = a.ws.without[slot * kBlock + j];
  const double spread = a.share[slot] - share;
  const double lead = without - a.rival[slot];
  if (!(spread > 0.0) || !(lead > 0.0)) return;
  const double bid = a.row(slot).weight * (lead / spread);
  if (bid > price->critical_bid) {
    *price = {price->pay, bid,
              spread,     a.share[slot] + share,
              lead,       without + a.rival[slot]};
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

// False if the normalisers leave a payment's sign, or the sixth decimal of a
// payment or a bid, in doubt: the caller then repeats with closer ones.
inline bool set_clarke_prices(Auction& a, Price* price) {
  evaluate_token(a, a.best.token);
  bool sure = true;
  for (int s = 0; s < a.active_count; ++s) {
    price[s] = {};
    price[s].pay = clarke(a, s);
    if (price[s].pay <= 0.0) continue;
    const double peak = a.peak[s].value;
    sure &= price[s].pay > kNearTieRel * peak;
    sure &= a.exact(price[s].pay, peak + a.rival[s]);
  }
  find_critical_bids(a, price);
  for (int s = 0; s < a.active_count; ++s) {
    if (price[s].pay <= 0.0) continue;
    sure &= a.exact(price[s].spread, price[s].spread_of);
    sure &= a.exact(price[s].lead, price[s].lead_of);
    const double weight = a.row(s).weight;
    if (price[s].critical_bid > weight) price[s].critical_bid = weight;
  }
  return sure;
}

}  // namespace
}  // namespace skynet
