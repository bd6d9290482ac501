// SPDX-License-Identifier: Apache-2.0
//
// Step 2 of the vector paths: softmax normalisers. Included after
// kernel_rows.h.
//
// Terms under kCut of the sum are added in f32 within a group of blocks and in
// f64 between groups. The few larger ones carry most of the sum: that sweep
// leaves them out, without a branch, and they are added in f64 afterwards.

#pragma once

#include "kernel_rows.h"

namespace skynet {
namespace {

constexpr double kCut = 0x1p-10;
// In a flat row many reach that, none of which matters: only the largest then.
constexpr int kMostLarge = 128;
// Rows of so few blocks are summed in f64: it takes a microsecond or two.
constexpr int kShortRow = 32;

// Rigorous: 55 f32 additions of terms, relative to what they add up to.
constexpr double kSumRel = 0x1.fp-19;
// Below this share of the sum, what is added in f32 may be rounded terms.
constexpr double kRoundedShare = 0x1p-2;

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

inline double sum_wide(const float* z, int count, const Row& row) {
  D sum = Simd::set_d(0.0);
#pragma GCC unroll 1
  for (int j = 0; j < count; j += Simd::kD) {
    const WideParts e = exp_wide_parts(exact_exponent(Simd::widen(z + j), row));
    sum = Simd::fma(e.root, e.power, sum);
  }
  return Simd::hsum(sum);
}

// A sum of f32 exponentials, each rounded to 2 ulp, without z * lo. kNoise
// bounds the error seen in such a sum, with room: additions round to either
// side, but equal logits err alike.
struct RoundedSum {
  static constexpr double kNoise = 0x1.4p-22;
  F sum = Simd::set(0.0f);

  static Reduced reduce(F z, const Row& row) {
    return reduce_short(z, row.magic8, row);
  }
  // Makes up for z * lo at the cut,
  static double correction(float cut, const Row& row) {
    return exp2(static_cast<double>(cut) * static_cast<double>(row.lo));
  }
  // and bounds what that leaves of it for terms `depth` bits under the cut.
  static double drift(double depth, const Row& row) {
    return depth * fabs(static_cast<double>(row.lo)) / row.to_exp2;
  }
  void add(Reduced u) {  // degree 3, error 3e-8
    F p = Simd::set(0x1.c690ccp-5f);
    p = Simd::fma(p, u.r, Simd::set(0x1.ec0c22p-3f));
    p = Simd::fma(p, u.r, Simd::set(0x1.62e432p-1f));
    p = Simd::fma(p, u.r, Simd::set(1.0f));
    sum = Simd::fma(Simd::scale<20>(Simd::pick8(kRoot8, u.t), u.t), p, sum);
  }
  double total() const { return Simd::hsum(Simd::widen_sum(sum)); }
};

// The same, each kept as root (1 + rest) and the two parts summed apart: every
// term within 2^-26, for a third more time.
struct SplitSum {
  static constexpr double kNoise = 0x1p-26;
  F roots = Simd::set(0.0f), rests = Simd::set(0.0f);

  static Reduced reduce(F z, const Row& row) { return skynet::reduce(z, row); }
  static double correction(float, const Row&) { return 1.0; }
  static double drift(double, const Row&) { return 0.0; }
  void add(Reduced u) {
    const F e = short_root(u.t);
    roots = Simd::add(roots, e);
    rests = Simd::fma(e, Simd::mul(slope(u.r), u.r), rests);
  }
  double total() const {
    return Simd::hsum(
        Simd::add(Simd::widen_sum(roots), Simd::widen_sum(rests)));
  }
};

// Adds the f32 terms of count logits but for those over cut. The two halves of
// an exponential are done in turns: each waits for less.
template <class Sum>
inline void add_narrow(const float* z, int count, float cut, const Row& row,
                       Sum* sum) {
  const F floor = Simd::set(row.floor), ceiling = Simd::set(cut);
  const auto reduced = [&](int j) {
    const F x = Simd::max_or_floor(Simd::load(z + j), ceiling, floor);
    return Sum::reduce(x, row);
  };
  Sum local = *sum;
  Reduced u = reduced(0);
#pragma GCC unroll 1
  for (int j = Simd::kF; j < count; j += Simd::kF) {
    const Reduced next = reduced(j);
    local.add(u);
    u = next;
  }
  local.add(u);
  *sum = local;
}

// The group sums of a row in f32, without the terms over cut. n terms under the
// cut that add up to s lie log2(n cut / s) bits under it at most, on average:
// that bound is the entropy of n shares.
template <class Sum>
inline void sum_narrow(const RowLogits& logits, int blocks, float cut,
                       double* group_sum, Row* row) {
  const Row local = *row;  // no aliasing: constants stay in registers
  const double unscale = local.unscale * Sum::correction(cut, local);
  double total = 0.0;
  for (int first = 0; first < blocks; first += kGroup) {
    const int end = min_int(blocks, first + kGroup);
    Sum sum;
    for (int b = first; b < end;) {
      const int next = logits.run(b, end);
      add_narrow(logits.block(b), (next - b) * kBlock, cut, local, &sum);
      b = next;
    }
    group_sum[first / kGroup] = sum.total() * unscale;
    total += group_sum[first / kGroup];
  }
  const double exponent =
      (static_cast<double>(cut) - local.top) * local.to_exp2;
  const double depth =
      log2(static_cast<double>(blocks) * kBlock / total) + exponent;
  const double drift = Sum::drift(depth, local);
  row->noise = total * (Sum::kNoise + drift);
  row->doubt = total * (kSumRel + drift);
}

// One bit for each of a block's logits that is over cut.
inline uint64_t over(const float* z, float cut) {
  uint64_t bits = 0;
  for (int j = 0; j < kBlock; j += Simd::kF) {
    const uint64_t some = Simd::greater(Simd::load(z + j), Simd::set(cut));
    bits |= some << j;
  }
  return bits;
}

// Logits over the cut, waiting to be added in f64 a vector at a time.
class LargeTerms {
 public:
  LargeTerms(const Row& row, double* group_sum)
      : row_(row), group_sum_(group_sum) {}

  void add(const float* z, int block, float cut) {
    if (count_ > kRoom - kBlock) flush();
    for (uint64_t bits = over(z, cut); bits != 0; bits &= bits - 1) {
      memcpy(z_ + count_, z + __builtin_ctzll(bits), sizeof(float));
      group_[count_++] = block / kGroup;
    }
  }
  void flush() {
    double term[Simd::kD];
    for (int i = 0; i < count_; i += Simd::kD) {
      Simd::store_d(term, exp_f64(Simd::widen(z_ + i), row_));
      for (int j = 0; j < min_int(Simd::kD, count_ - i); ++j) {
        group_sum_[group_[i + j]] += term[j];
      }
    }
    count_ = 0;
  }

 private:
  static constexpr int kRoom = 4 * kBlock;
  const Row& row_;
  double* group_sum_;
  int count_ = 0;
  float z_[kRoom + Simd::kD] = {};
  int group_[kRoom];
};

// The logit whose f32 term is `share` of 2^offset.
inline float logit_of(double share, const Row& row) {
  return static_cast<float>((log2(share) + row.offset) / row.to_exp2);
}

// Which block maxima are large, as the number of them and their excess.
struct LargeMaxima {
  int blocks;
  double excess;  // summed, over the cut
};

inline LargeMaxima large_maxima(const float* block_exp, int stride,
                                double cut) {
  const F least = Simd::set(static_cast<float>(cut));
  F sum = Simd::set(0.0f);
  int blocks = 0;
  for (int b = 0; b < stride; b += Simd::kF) {
    const F e = Simd::load(block_exp + b);
    blocks += __builtin_popcount(Simd::greater(e, least));
    sum = Simd::add(sum, Simd::sub(Simd::max(e, least), least));
  }
  return {blocks, Simd::hsum(Simd::widen_sum(sum))};
}

// Group sums in f32, but for large terms. Block maxima tell which those are and
// whether they leave so little that rounded terms will do.
inline void sum_fast(const RowLogits& logits, int blocks, int stride,
                     const float* block_max, const float* block_exp,
                     double maxima_sum, double* group_sum, Row* row) {
  double share = maxima_sum * kCut;
  LargeMaxima large = large_maxima(block_exp, stride, share);
  while (large.blocks > kMostLarge) {
    share *= 2.0;
    large = large_maxima(block_exp, stride, share);
  }
  const float cut = logit_of(share, *row);
  if (maxima_sum - large.excess > maxima_sum * kRoundedShare) {
    row->summed = Summed::kSplit;
  }
  if (row->summed == Summed::kSplit) {
    sum_narrow<SplitSum>(logits, blocks, cut, group_sum, row);
  } else {
    sum_narrow<RoundedSum>(logits, blocks, cut, group_sum, row);
  }
  LargeTerms terms(*row, group_sum);
  for (int first = 0; first < blocks; first += Simd::kF) {
    const F maxima = Simd::load(block_max + first);
    unsigned bits = Simd::greater(maxima, Simd::set(cut));
    for (; bits != 0; bits &= bits - 1) {
      const int b = first + __builtin_ctz(bits);
      terms.add(logits.block(b), b, cut);
    }
  }
  terms.flush();
}

// Every term in f64.
inline void sum_precisely(const RowLogits& logits, int blocks,
                          double* group_sum, Row* row) {
  row->noise = 0.0;
  row->doubt = 0.0;
  for (int b = 0; b < blocks; ++b) {
    const double sum = sum_wide(logits.block(b), kBlock, *row);
    group_sum[b / kGroup] = b % kGroup == 0 ? sum : group_sum[b / kGroup] + sum;
  }
}

}  // namespace
}  // namespace skynet
