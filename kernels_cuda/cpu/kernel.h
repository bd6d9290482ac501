// SPDX-License-Identifier: Apache-2.0
//
// The vector paths' auction: rows, blend, prices. Each instruction set's
// translation unit includes this once, after its Simd; all of it lives in an
// anonymous namespace, because nothing here may have external linkage.

#pragma once

#include "kernel_sample.h"
#include "kernel_top.h"

namespace skynet {
namespace {

inline bool good_weight(float w) {
  return w >= 0.0f && w < INFINITY;
}

// Reads every row with a usable weight and collects the active ones. A row is
// normalised right after its scan, while its logits are still in the cache.
inline Status read_rows(Auction& a) {
  for (int k = 0; k < a.in.rows; ++k) {
    Row& row = a.rows[k];
    row.index = k;
    row.weight = static_cast<double>(a.in.weights[k]);
    row.status = RowStatus::kBadWeight;
    if (good_weight(a.in.weights[k])) {
      const RowLogits logits(a.in, k, a.ws.logits);
      scan_row(a.in, logits, a.blocks, a.ws.stride, a.block_max(k), &row);
      if (row.status == RowStatus::kOk) {
        set_scale(a.in.temperature, &row);
        normalise(a, logits, Summed::kRounded, &row);
      }
    }
    if (row.status != RowStatus::kOk) {
      if (k == 0) return Status::kBadReference;
      continue;
    }
    if (row.weight > 0.0) a.active[a.active_count++] = k;
  }
  return a.active_count > 0 ? Status::kOk : Status::kNoWeight;
}

inline double probability(const Auction& a, const Row& row, int token) {
  const double z = static_cast<double>(logit_at(a.in, row.index, token));
  double lane[Simd::kD];
  Simd::store_d(lane, exp_f64(Simd::set_d(z), row));
  return lane[0] * row.inv_z;
}

inline RowResult row_result(const Auction& a, const Row& row, int token) {
  double others = 0.0;
  for (int j = 1; j < a.in.rows; ++j) {
    if (j != row.index && a.rows[j].status == RowStatus::kOk) {
      others += a.rows[j].weight;
    }
  }
  RowResult out = {};
  out.status = row.status;
  out.w_minus = static_cast<float>(others);
  if (row.status != RowStatus::kOk) return out;
  out.p_token = probability(a, row, token);
  out.log_z = row.top / static_cast<double>(a.in.temperature) + log(row.z);
  return out;
}

inline void write_rows(const Auction& a, int token, const Price* price,
                       RowResult* out) {
  for (int k = 0; k < a.in.rows; ++k) out[k] = row_result(a, a.rows[k], token);
  for (int s = 0; s < a.active_count; ++s) {
    out[a.active[s]].pay = price[s].pay;
    out[a.active[s]].critical_bid = price[s].critical_bid;
  }
}

inline void auction_argmax(Auction& a, Price* price, ReplyResult* reply) {
  for (;;) {
    find_peaks(a);
    reply->near_tie = a.best.value - a.second <= kNearTieRel * a.best.value;
    const bool precise = a.precise();
    if (reply->near_tie && !precise) {
      normalise_precisely(a);
      continue;
    }
    if (reply->near_tie) settle_tie(a);
    if (set_clarke_prices(a, price) || precise) break;
    refine(a);
  }
  const double margin = a.best.value - a.second;
  reply->margin = margin > 0.0 ? margin : 0.0;
  reply->blend = a.best.value;
  reply->token = a.best.token;
  reply->ref_token = a.rows[0].top_token;
  reply->drawn_row = -1;
}

inline void auction_sample(Auction& a, Price* price, ReplyResult* reply) {
  draw(a, reply);
  while (!set_stable_prices(a, reply->token, price) && !a.precise()) refine(a);
  reply->blend = a.ws.blend[reply->token % kBlock];
  find_peaks(a);
  reply->margin = a.best.token == reply->token ? a.best.value - a.second
                                               : reply->blend - a.best.value;
}

inline Status run_auction(const AuctionInput& in, Workspace& ws,
                          ReplyResult* reply, RowResult* rows,
                          const TopResult* top) {
  Auction a(in, ws);
  const Status status = read_rows(a);
  if (status != Status::kOk) {
    rows[0].status = a.rows[0].status;
    return status;
  }
  Price price[kMaxRows];
  *reply = {};
  if (in.mode == Mode::kSample) {
    auction_sample(a, price, reply);
  } else {
    auction_argmax(a, price, reply);
  }
  reply->precise = a.precise();
  write_rows(a, reply->token, price, rows);
  if (top != nullptr) write_top(a, *top);
  return Status::kOk;
}

// N(x) for every token with this path's own normalisers, for the tests.
inline Status run_blend(const AuctionInput& in, Workspace& ws, double* out) {
  Auction a(in, ws);
  const Status status = read_rows(a);
  if (status != Status::kOk) return status;
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
