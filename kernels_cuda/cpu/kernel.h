// SPDX-License-Identifier: Apache-2.0
//
// The vector paths' auction: rows, blend, prices. Each instruction set's
// translation unit includes this once, after its Simd; all of it lives in an
// anonymous namespace, because nothing here may have external linkage.

#pragma once

#include "kernel_price.h"

namespace skynet {
namespace {

inline bool good_weight(float w) {
  return w >= 0.0f && w < INFINITY;
}

// Scans every row with a usable weight and collects the active ones.
inline Status read_rows(Auction& a) {
  for (int k = 0; k < a.in.rows; ++k) {
    Row& row = a.rows[k];
    row.index = k;
    row.inv_z = 0.0;
    row.weight = static_cast<double>(a.in.weights[k]);
    if (!good_weight(a.in.weights[k])) {
      row.status = RowStatus::kBadWeight;
    } else {
      float* block_max = a.ws.block_max + static_cast<size_t>(k) * a.ws.stride;
      scan_row(a.in, a.blocks, a.ws.stride, block_max, &row);
    }
    if (row.status != RowStatus::kOk) {
      if (k == 0) return Status::kBadReference;
      continue;
    }
    set_scale(a.in.temperature, &row);
    if (row.weight > 0.0) a.active[a.active_count++] = k;
  }
  return a.active_count > 0 ? Status::kOk : Status::kNoWeight;
}

inline bool normalise_rows(Auction& a, bool precise) {
  bool all_wide = true;
  for (int k = 0; k < a.in.rows; ++k) {
    if (a.rows[k].status != RowStatus::kOk) continue;
    const size_t at = static_cast<size_t>(k) * a.ws.stride;
    const double sum = exp_block_maxima(
        a.rows[k], a.ws.stride, a.ws.block_max + at, a.ws.block_exp + at);
    all_wide &= normalise(a.in, a.blocks, sum, precise, a.ws.block_exp + at,
                          &a.rows[k]);
  }
  return all_wide;
}

inline double probability(const Auction& a, const Row& row, int token) {
  alignas(64) float buffer[kBlock];
  const float* z = read_block(a.in, row.index, token / kBlock, buffer);
  const double logit = static_cast<double>(logit_at(z, token % kBlock));
  double lane[Simd::kD];
  Simd::store_d(lane, exp_f64(Simd::set_d(logit), row));
  return lane[0] * row.inv_z;
}

inline double log_normaliser(const Auction& a, const Row& row) {
  return row.top / static_cast<double>(a.in.temperature) - log(row.inv_z);
}

inline void write_rows(const Auction& a, const Price* price, RowResult* out) {
  for (int k = 0; k < a.in.rows; ++k) {
    const Row& row = a.rows[k];
    double others = 0.0;
    for (int j = 1; j < a.in.rows; ++j) {
      if (j != k && a.rows[j].status == RowStatus::kOk) {
        others += a.rows[j].weight;
      }
    }
    const bool ok = row.status == RowStatus::kOk;
    const double p = ok ? probability(a, row, a.best.token) : 0.0;
    const double log_z = ok ? log_normaliser(a, row) : 0.0;
    out[k] = {p, 0.0, 0.0, log_z, static_cast<float>(others), row.status};
  }
  for (int s = 0; s < a.active_count; ++s) {
    out[a.active[s]].pay = price[s].pay;
    out[a.active[s]].critical_bid = price[s].critical_bid;
  }
}

inline Status run_auction(const AuctionInput& in, Workspace& ws,
                          ReplyResult* reply, RowResult* rows,
                          const TopResult*) {
  Auction a(in, ws);
  const Status status = read_rows(a);
  if (status != Status::kOk) {
    rows[0].status = a.rows[0].status;
    return status;
  }
  Price price[kMaxRows];
  bool near_tie = false;
  bool precise = false;
  for (bool retry = false;; retry = true) {
    precise = normalise_rows(a, retry);
    find_peaks(a);
    near_tie = a.best.value - a.second <= kNearTieRel * a.best.value;
    if (near_tie && !precise) continue;
    if (near_tie) settle_tie(a);
    if (set_prices(a, price) || precise) break;
  }
  const double margin = a.best.value - a.second;
  *reply = {margin > 0.0 ? margin : 0.0,
            a.best.value,
            a.best.token,
            a.rows[0].top_token,
            near_tie,
            precise,
            -1,
            0};
  write_rows(a, price, rows);
  return Status::kOk;
}

// N(x) for every token with this path's own normalisers, for the tests.
inline Status run_blend(const AuctionInput& in, Workspace& ws, double* out) {
  Auction a(in, ws);
  const Status status = read_rows(a);
  if (status != Status::kOk) return status;
  normalise_rows(a, false);
  for (int b = 0; b < a.blocks; ++b) {
    evaluate_block(a, b);
    const int count = min_int(kBlock, in.vocab - b * kBlock);
    memcpy(out + static_cast<size_t>(b) * kBlock, a.ws.blend,
           sizeof(double) * static_cast<size_t>(count));
  }
  return Status::kOk;
}

}  // namespace
}  // namespace skynet
