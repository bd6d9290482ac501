// SPDX-License-Identifier: Apache-2.0
//
// Step 1 of the vector paths: per row, its validity, its maximum and its
// softmax normaliser. Included after a Simd.
//
// A row is read twice: once for block maxima (a block is 64 logits), once for
// the sum of exponentials. The second reading uses f32 for terms under kCut of
// the sum and f64 for the few that carry it: what is left are many independent
// rounding errors (3e-8 each, rms), together under 3e-8 sqrt(kCut) of the sum.

#pragma once

#include <math.h>
#include <string.h>

#include "paths.h"

namespace skynet {
namespace {

using F = Simd::F;
using D = Simd::D;

constexpr double kCut = 0x1p-9;  // f32 normalisers then err by under 2e-9
constexpr int kRun = 8;          // blocks summed in f32 at a time

// What the sweeps need to know about one row.
struct Row {
  double to_exp2;   // log2(e) / T: softmax(z / T) ~ 2^(z * to_exp2)
  double top;       // largest logit
  double weight;    // w_k
  double inv_z;     // 1 / sum_x exp((z(x) - top) / T)
  double to_share;  // block_exp -> upper bound on w_k P_k in the block
  double unscale;   // 2^(offset - top * to_exp2)
  float hi, lo;     // to_exp2 as hi + lo
  float floor;      // logits below this are 2^-120 of the maximum: clamp
  float magic;      // 1.5 * 2^23 - offset; offset = round(top * to_exp2)
  int top_token;    // lowest id whose logit is top
  int index;        // row number in the input
  bool narrow;      // the f32 sweep can represent this row
  RowStatus status;
};

inline int min_int(int a, int b) {
  return a < b ? a : b;
}

inline void widen_block(LogitType type, const void* halves, float* out) {
  const uint16_t* half = static_cast<const uint16_t*>(halves);
  for (int j = 0; j < kBlock; j += Simd::kF) {
    Simd::store(out + j, type == LogitType::kBF16 ? Simd::from_bf16(half + j)
                                                  : Simd::from_f16(half + j));
  }
}

// Copies or converts a block that cannot be read in place.
inline const float* convert_block(const AuctionInput& in, size_t at, int count,
                                  float* out) {
  const size_t bytes = in.type == LogitType::kF32 ? 4 : 2;
  const char* source = static_cast<const char*>(in.logits) + bytes * at;
  if (bytes == 2 && count == kBlock) {
    widen_block(in.type, source, out);
    return out;
  }
  alignas(64) char tail[4 * kBlock] = {};
  memcpy(tail, source, bytes * static_cast<size_t>(count));
  if (bytes == 2) {
    widen_block(in.type, tail, out);
  } else {
    memcpy(out, tail, sizeof tail);
  }
  for (int j = count; j < kBlock; ++j) out[j] = -INFINITY;
  return out;
}

// 64 logits of a row as f32. Past V: -inf, and memory past V is not read.
inline const float* read_block(const AuctionInput& in, int row, int block,
                               float* buffer) {
  const int first = block * kBlock;
  const int count = min_int(kBlock, in.vocab - first);
  const size_t at = static_cast<size_t>(row) * in.row_stride + first;
  if (in.type == LogitType::kF32 && count == kBlock) {
    return static_cast<const float*>(in.logits) + at;
  }
  return convert_block(in, at, count, buffer);
}

// Logits may lie unaligned (a request's bytes start anywhere).
inline float logit_at(const float* z, int j) {
  float value;
  memcpy(&value, reinterpret_cast<const char*>(z) + 4 * j, sizeof value);
  return value;
}

// Fills the block maxima, row->top, row->top_token and the row's status.
inline void scan_row(const AuctionInput& in, int blocks, int stride,
                     float* block_max, Row* row) {
  alignas(64) float buffer[kBlock];
  F top = Simd::set(-INFINITY);
  Simd::Mask nan = Simd::no_mask();
  for (int b = 0; b < blocks; ++b) {
    const float* z = read_block(in, row->index, b, buffer);
    F largest = Simd::set(-INFINITY);
    for (int j = 0; j < kBlock; j += 2 * Simd::kF) {
      const F low = Simd::load(z + j), high = Simd::load(z + j + Simd::kF);
      nan = Simd::or_(nan, Simd::either_nan(low, high));
      largest = Simd::max(largest, Simd::max(low, high));
    }
    block_max[b] = Simd::hmax(largest);
    top = Simd::max(top, largest);
  }
  for (int b = blocks; b < stride; ++b) block_max[b] = -INFINITY;
  const float largest = Simd::hmax(top);
  row->top = static_cast<double>(largest);
  if (Simd::any(nan) || largest == INFINITY) {
    row->status = RowStatus::kNotFinite;
    return;
  }
  if (largest == -INFINITY) {
    row->status = RowStatus::kEmpty;
    return;
  }
  int block = 0;
  while (block_max[block] != largest) ++block;
  const float* z = read_block(in, row->index, block, buffer);
  int j = 0;
  while (logit_at(z, j) != largest) ++j;
  row->top_token = block * kBlock + j;
  row->status = RowStatus::kOk;
}

// Constants of 2^(z * to_exp2 - offset) in f32, where f32 can hold them.
inline void set_scale(float temperature, Row* row) {
  const double c = 0x1.71547652b82fep+0 / static_cast<double>(temperature);
  const double place = row->top * c;
  const double offset = nearbyint(place);
  row->to_exp2 = c;
  row->narrow = fabs(place) < 16384.0 && c > 0x1p-60 && c < 0x1p+60;
  if (!row->narrow) {
    row->unscale = 1.0;
    return;
  }
  row->hi = static_cast<float>(c);
  row->lo = static_cast<float>(c - static_cast<double>(row->hi));
  row->floor = static_cast<float>((offset - 120.0) / c);
  row->magic = static_cast<float>(0x1.8p+23 - offset);
  row->unscale = exp2(offset - place);
}

// 2^(z * to_exp2 - offset), within 2 ulp. The reduced argument is exact up to
// one rounding because the products are fused; degree 6, error 2.6e-9.
inline F exp_f32(F z, const Row& row) {
  z = Simd::max(z, Simd::set(row.floor));
  const F hi = Simd::set(row.hi), magic = Simd::set(row.magic);
  const F t = Simd::fma(z, hi, magic);
  F r = Simd::fms(z, hi, Simd::sub(t, magic));
  r = Simd::fma(z, Simd::set(row.lo), r);
  F p = Simd::set(0x1.470bb8p-13f);
  p = Simd::fma(p, r, Simd::set(0x1.5f72acp-10f));
  p = Simd::fma(p, r, Simd::set(0x1.3b270ep-7f));
  p = Simd::fma(p, r, Simd::set(0x1.c6ae72p-5f));
  p = Simd::fma(p, r, Simd::set(0x1.ebfbe2p-3f));
  p = Simd::fma(p, r, Simd::set(0x1.62e432p-1f));
  p = Simd::fma(p, r, Simd::set(1.0f));
  return Simd::scale(p, t);
}

// exp((z - top) / T) in f64; degree 11, error 2e-17. Exactly 0 below 2^-1000.
inline D exp_f64(D z, const Row& row) {
  const D magic = Simd::set_d(0x1.8p+52), least = Simd::set_d(-1000.0);
  const D exact =
      Simd::mul(Simd::sub(z, Simd::set_d(row.top)), Simd::set_d(row.to_exp2));
  const D u = Simd::max(exact, least);
  const D t = Simd::add(u, magic);
  const D r = Simd::sub(u, Simd::sub(t, magic));
  D p = Simd::set_d(0x1.c0638cc3aa5d9p-32);
  p = Simd::fma(p, r, Simd::set_d(0x1.e60619377e45bp-28));
  p = Simd::fma(p, r, Simd::set_d(0x1.b5416a885b8c4p-24));
  p = Simd::fma(p, r, Simd::set_d(0x1.62bfd48ef9ab7p-20));
  p = Simd::fma(p, r, Simd::set_d(0x1.ffcbee3823223p-17));
  p = Simd::fma(p, r, Simd::set_d(0x1.4309130966452p-13));
  p = Simd::fma(p, r, Simd::set_d(0x1.5d87fe7bbcd3cp-10));
  p = Simd::fma(p, r, Simd::set_d(0x1.3b2ab6fba1e08p-7));
  p = Simd::fma(p, r, Simd::set_d(0x1.c6b08d7048f2ap-5));
  p = Simd::fma(p, r, Simd::set_d(0x1.ebfbdff82c598p-3));
  p = Simd::fma(p, r, Simd::set_d(0x1.62e42fefa39f3p-1));
  p = Simd::fma(p, r, Simd::set_d(1.0));
  return Simd::zero_if_less(Simd::scale(p, t), exact, least);
}

// Exponentials of the block maxima; returns their sum. Never 0, so that a
// bound made of them stays an upper bound.
inline double exp_block_maxima(const Row& row, int stride,
                               const float* block_max, float* block_exp) {
  D sum = Simd::set_d(0.0);
  if (row.narrow) {
    for (int b = 0; b < stride; b += Simd::kF) {
      const F e = exp_f32(Simd::load(block_max + b), row);
      Simd::store(block_exp + b, e);
      sum = Simd::add(sum, Simd::widen_sum(e));
    }
    return Simd::hsum(sum);
  }
  for (int b = 0; b < stride; b += Simd::kD) {
    const D e = exp_f64(Simd::widen(block_max + b), row);
    double lane[Simd::kD];
    Simd::store_d(lane, Simd::max(e, Simd::set_d(0x1p-120)));
    for (int j = 0; j < Simd::kD; ++j) {
      block_exp[b + j] = static_cast<float>(lane[j]);
    }
    sum = Simd::add(sum, e);
  }
  return Simd::hsum(sum);
}

// A normaliser in two parts: terms summed as exp_f64 and as exp_f32 give them.
struct Sums {
  D wide, narrow;
};

inline void add_wide(const float* z, int count, const Row& row, Sums* sums) {
#pragma GCC unroll 1
  for (int j = 0; j < count; j += Simd::kD) {
    const D e = exp_f64(Simd::widen(z + j), row);
    sums->wide = Simd::add(sums->wide, e);
  }
}

// At most kRun blocks: a lane then adds 32 terms in f32 before it is widened.
inline void add_narrow(const float* z, int count, const Row& row, Sums* sums) {
  F even = Simd::set(0.0f), odd = Simd::set(0.0f);
#pragma GCC unroll 1  // two chains fill the pipes; more would spill registers
  for (int j = 0; j < count; j += 2 * Simd::kF) {
    even = Simd::add(even, exp_f32(Simd::load(z + j), row));
    odd = Simd::add(odd, exp_f32(Simd::load(z + j + Simd::kF), row));
  }
  sums->narrow = Simd::add(sums->narrow, Simd::widen_sum(Simd::add(even, odd)));
}

// A block holding a term over cut: only its vectors that do are summed in f64.
inline void add_mixed(const float* z, float cut, const Row& row, Sums* sums) {
  F narrow = Simd::set(0.0f);
#pragma GCC unroll 1
  for (int j = 0; j < kBlock; j += Simd::kF) {
    const F e = exp_f32(Simd::load(z + j), row);
    if (Simd::any_greater(e, Simd::set(cut))) {
      add_wide(z + j, Simd::kF, row, sums);
    } else {
      narrow = Simd::add(narrow, e);
    }
  }
  sums->narrow = Simd::add(sums->narrow, Simd::widen_sum(narrow));
}

// How many blocks from b on, up to kRun, hold no term over cut.
inline int narrow_run(const float* block_exp, int b, int blocks, float cut) {
  int run = 1;
  while (run < kRun && b + run < blocks && block_exp[b + run] <= cut) ++run;
  return run;
}

// Sets inv_z and to_share. Returns true if every term was summed in f64.
inline bool normalise(const AuctionInput& in, int blocks, double maxima_sum,
                      bool precise, const float* block_exp, Row* row) {
  alignas(64) float buffer[kBlock];
  const Row local = *row;  // no aliasing: constants stay in registers
  const bool wide_only = precise || !local.narrow;
  const int whole = in.vocab / kBlock;
  const float cut = static_cast<float>(maxima_sum * kCut);
  Sums sums = {Simd::set_d(0.0), Simd::set_d(0.0)};
  for (int b = 0; b < blocks; ++b) {
    const float* z = read_block(in, local.index, b, buffer);
    if (wide_only) {
      add_wide(z, kBlock, local, &sums);
    } else if (block_exp[b] > cut) {
      add_mixed(z, cut, local, &sums);
    } else {
      const int run = z == buffer ? 1 : narrow_run(block_exp, b, whole, cut);
      add_narrow(z, run * kBlock, local, &sums);
      b += run - 1;
    }
  }
  const double z =
      Simd::hsum(sums.wide) + Simd::hsum(sums.narrow) * local.unscale;
  row->inv_z = 1.0 / z;
  row->to_share =
      row->weight * row->inv_z * local.unscale * (1.0 + kNearTieRel);
  return wide_only;
}

}  // namespace
}  // namespace skynet
