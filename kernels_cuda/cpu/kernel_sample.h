// SPDX-License-Identifier: Apache-2.0
//
// Step 4 of the vector paths in sampling mode: the drawn token and the
// stable-sampling payments. Included after kernel_price.h.

#pragma once

#include "draw.h"
#include "kernel_price.h"

namespace skynet {
namespace {

struct Found {
  int token;
  bool proven;  // no rounding could have given another token
};

// exp((z - top) / T) of a block's tokens.
inline void block_terms(const Auction& a, const Row& row, int block,
                        double* terms) {
  alignas(64) float buffer[kBlock];
  const float* z = read_block(a.in, row.index, block, buffer);
  for (int j = 0; j < kBlock; j += Simd::kD) {
    Simd::store_d(terms + j, exp_f64(Simd::widen(z + j), row));
  }
}

inline int last_possible(const Auction& a, const Row& row) {
  int token = a.in.vocab - 1;
  while (logit_at(a.in, row.index, token) == -INFINITY) --token;
  return token;
}

// Group sums lead to the group in which the running sum passes u Z; its terms
// are then added up in f64. Both sums, the running one and Z, are in doubt.
inline Found find_token(const Auction& a, const Row& row, double u) {
  alignas(64) double terms[kBlock];
  const double* group_sum = a.group_sum(row.index);
  const double target = u * row.z;
  const double doubt = 2.0 * row.doubt + 0x1p-40 * row.z;
  double before = 0.0;
  for (int first = 0; first < a.blocks; first += kGroup) {
    const double after = before + group_sum[first / kGroup];
    if (after > target) {
      double sum = before;
      for (int b = first; b < min_int(a.blocks, first + kGroup); ++b) {
        block_terms(a, row, b, terms);
        for (int j = 0; j < kBlock; ++j) {
          const double next = sum + terms[j];
          if (terms[j] > 0.0 && next > target) {
            return {b * kBlock + j,
                    next - target > doubt && target - sum > doubt};
          }
          sum = next;
        }
      }
    }
    before = after;
  }
  return {last_possible(a, row), false};
}

inline int draw_token(Auction& a, int k, double u) {
  Found found = find_token(a, a.rows[k], u);
  if (!found.proven && a.rows[k].summed != Summed::kWide) {
    normalise_again(a, k, Summed::kWide);
    found = find_token(a, a.rows[k], u);
  }
  return found.token;
}

// Sets token, ref_token and drawn_row.
inline void draw(Auction& a, ReplyResult* reply) {
  const Uniforms u = uniforms(a.in.draw);
  double weights[kMaxRows] = {};
  for (int s = 0; s < a.active_count; ++s) {
    weights[a.active[s]] = a.row(s).weight;
  }
  reply->drawn_row = draw_row(weights, a.in.rows, u.row);
  reply->ref_token = draw_token(a, 0, u.token);
  reply->token = reply->drawn_row == 0
                     ? reply->ref_token
                     : draw_token(a, reply->drawn_row, u.token);
}

// The sum of the active weights but one, added up without it.
inline double weight_without(const Auction& a, int slot) {
  double sum = 0.0;
  for (int s = 0; s < a.active_count; ++s) {
    if (s != slot) sum += a.row(s).weight;
  }
  return sum;
}

// False if the normalisers leave a payment's sixth decimal in doubt.
inline bool set_stable_prices(Auction& a, int token, Price* price) {
  evaluate_token(a, token);
  bool sure = true;
  for (int s = 0; s < a.active_count; ++s) {
    price[s] = {};
    if (!a.pays(s)) continue;
    const double b = a.row(s).weight, others = weight_without(a, s);
    const double p = a.share[s] / b, q = a.rival[s] / others;
    price[s].pay = stable_payment(b, others, p, a.rival[s]);
    sure &= a.exact(p - q, p + q);
  }
  return sure;
}

}  // namespace
}  // namespace skynet
