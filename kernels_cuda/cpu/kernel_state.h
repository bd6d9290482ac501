// SPDX-License-Identifier: Apache-2.0
//
// What the vector paths know of one reply, and how closely. Included after
// kernel_sum.h.

#pragma once

#include "kernel_sum.h"

namespace skynet {
namespace {

struct Peak {
  double value;
  int token;
};

// Everything one auction carries. "Active" rows are valid and have w > 0.
struct Auction {
  const AuctionInput& in;
  Workspace& ws;
  int blocks;
  int active_count = 0;
  Row rows[kMaxRows] = {};      // by input row
  int active[kMaxRows] = {};    // active slot -> input row
  Peak best = {};               // largest N; lowest id among equals
  double second = -1.0;         // largest N over the other tokens
  Peak peak[kMaxRows] = {};     // by active slot: largest B_-i
  double share[kMaxRows] = {};  // by active slot: w P(t)
  double rival[kMaxRows] = {};  // by active slot: B_-i(t)

  Auction(const AuctionInput& input, Workspace& workspace)
      : in(input), ws(workspace), blocks((input.vocab + kBlock - 1) / kBlock) {}

  const Row& row(int slot) const { return rows[active[slot]]; }
  bool pays(int slot) const { return active[slot] > 0 && active_count > 1; }
  bool pays_clarke(int slot) const {
    return in.mode == Mode::kArgmax && pays(slot);
  }
  // Every normaliser was summed in f64.
  bool precise() const {
    bool all = true;
    for (int k = 0; k < in.rows; ++k) {
      all &=
          rows[k].status != RowStatus::kOk || rows[k].summed == Summed::kWide;
    }
    return all;
  }
  // Whether the normalisers leave `difference`, of two numbers that add up to
  // `sum`, within 1e-6 of what it should be.
  bool exact(double difference, double sum) const {
    double noise = 0.0;
    for (int s = 0; s < active_count; ++s) {
      noise = fmax(noise, row(s).noise * row(s).inv_z);
    }
    return fabs(difference) * 0x1p-20 > noise * sum;
  }
  float* block_max(int row) const { return ws.block_max + at(row); }
  float* block_exp(int row) const { return ws.block_exp + at(row); }
  double* group_sum(int row) const {
    return ws.group_sum + static_cast<size_t>(row) * ws.groups;
  }

 private:
  size_t at(int row) const { return static_cast<size_t>(row) * ws.stride; }
};

// Sets a row's normaliser; its logits have been scanned. A row that f32 cannot
// hold, and a short one, is always summed in f64; one whose rounded sum might
// be off by more than kNearTieRel allows for, again.
inline void normalise(Auction& a, const RowLogits& logits, Summed at_least,
                      Row* row) {
  const float* block_max = a.block_max(row->index);
  float* block_exp = a.block_exp(row->index);
  double* group_sum = a.group_sum(row->index);
  const double maxima_sum =
      exp_block_maxima(*row, a.ws.stride, block_max, block_exp);
  row->summed = at_least;
  if (!row->narrow || a.blocks <= kShortRow) row->summed = Summed::kWide;
  if (row->summed == Summed::kWide) {
    sum_precisely(logits, a.blocks, group_sum, row);
  } else {
    sum_fast(logits, a.blocks, a.ws.stride, block_max, block_exp, maxima_sum,
             group_sum, row);
  }
  row->z = 0.0;
  for (int g = 0; g < a.ws.groups; ++g) row->z += group_sum[g];
  row->inv_z = 1.0 / row->z;
  row->to_share = row->weight * row->inv_z * row->unscale * (1.0 + kNearTieRel);
  if (row->summed == Summed::kRounded &&
      2.0 * row->doubt > kNearTieRel * row->z) {
    normalise(a, logits, Summed::kSplit, row);
  }
}

inline void normalise_again(Auction& a, int k, Summed how) {
  normalise(a, RowLogits(a.in, k, a.ws.logits), how, &a.rows[k]);
}

inline void normalise_precisely(Auction& a) {
  for (int k = 0; k < a.in.rows; ++k) {
    if (a.rows[k].status != RowStatus::kOk) continue;
    normalise_again(a, k, Summed::kWide);
  }
}

// Sums rounded rows again as split ones or, if there are none, all in f64.
inline void refine(Auction& a) {
  bool refined = false;
  for (int k = 0; k < a.in.rows; ++k) {
    if (a.rows[k].status != RowStatus::kOk) continue;
    if (a.rows[k].summed != Summed::kRounded) continue;
    normalise_again(a, k, Summed::kSplit);
    refined = true;
  }
  if (!refined) normalise_precisely(a);
}

}  // namespace
}  // namespace skynet
