// SPDX-License-Identifier: Apache-2.0
//
// Sums of a row's exponentials in f32: added up by block, then by group, and in
// f64 from there. Included after kernel_rows.h.

#pragma once

#include "kernel_rows.h"

namespace skynet {
namespace {

// Rigorous: 7 f32 additions within a block and 15 within a group, relative to
// what they add up to.
constexpr double kSumRel = 0x1.bp-20;

// A sum of f32 exponentials, each rounded to 2 ulp, without z * lo. kNoise is
// the largest error seen in such sums, relative to them: with a few different
// logits, thousands of equal roundings add up.
struct RoundedSum {
  static constexpr double kNoise = 0x1p-22;
  F sum = Simd::set(0.0f);

  static Reduced reduce(F z, const Row& row) {
    return reduce_short(z, row.magic8, row);
  }
  // Makes up for the mean error of add and for z * lo at kDepth bits under the
  // cut, where the terms of most rows lie on average,
  static constexpr double kMeanError = 0x1.a4p-27;
  static constexpr double kDepth = 3.0;
  static double correction(float cut, const Row& row) {
    const double z = static_cast<double>(cut) - kDepth / row.to_exp2;
    return exp2(z * static_cast<double>(row.lo)) * (1.0 - kMeanError);
  }
  // and bounds what that leaves of it if they lie at most `depth` bits under
  // it.
  static double drift(double depth, const Row& row) {
    const double off = fmax(kDepth, depth - kDepth);
    return off * fabs(static_cast<double>(row.lo)) / row.to_exp2;
  }
  void add(Reduced u) {  // degree 3, error 3e-8
    F p = Simd::set(0x1.c690ccp-5f);
    p = Simd::fma(p, u.r, Simd::set(0x1.ec0c22p-3f));
    p = Simd::fma(p, u.r, Simd::set(0x1.62e432p-1f));
    p = Simd::fma(p, u.r, Simd::set(1.0f));
    sum = Simd::fma(Simd::scale<20>(Simd::pick8(kRoot8, u.t), u.t), p, sum);
  }
  void add(const RoundedSum& other) { sum = Simd::add(sum, other.sum); }
  double total() const { return Simd::hsum(Simd::widen_sum(sum)); }
};

// The same, each kept as root (1 + rest) and the two parts summed apart: every
// term within 2^-26, for a third more time.
struct SplitSum {
  static constexpr double kNoise = 0x1.6p-24;
  F roots = Simd::set(0.0f), rests = Simd::set(0.0f);

  static Reduced reduce(F z, const Row& row) { return skynet::reduce(z, row); }
  static double correction(float, const Row&) { return 1.0; }
  static double drift(double, const Row&) { return 0.0; }
  void add(Reduced u) {
    const F e = short_root(u.t);
    roots = Simd::add(roots, e);
    rests = Simd::fma(e, Simd::mul(slope(u.r), u.r), rests);
  }
  void add(const SplitSum& other) {
    roots = Simd::add(roots, other.roots);
    rests = Simd::add(rests, other.rests);
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
  Reduced u = reduced(0);
  for (int j = 0; j < count;) {
    Sum block;
#pragma GCC unroll 8
    for (int i = 0; i < kBlock; i += Simd::kF) {
      j += Simd::kF;
      const Reduced next = reduced(j < count ? j : 0);
      block.add(u);
      u = next;
    }
    sum->add(block);
  }
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

}  // namespace
}  // namespace skynet
