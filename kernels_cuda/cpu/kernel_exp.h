// SPDX-License-Identifier: Apache-2.0
//
// exp((z - top) / T) of a row's logits, in f32 and f64. Included after a Simd.
//
// All write u = z log2(e) / T as k + j / n + r with integers k and j < n, and
// 2^u as 2^k 2^(j / n) 2^r: a table and a short polynomial. Adding a magic
// number to u leaves n k + j in the low bits of its mantissa, t.

#pragma once

#include <math.h>
#include <string.h>

#include "paths.h"

namespace skynet {
namespace {

using F = Simd::F;
using D = Simd::D;

// How a row's normaliser was summed, from the fastest to the closest.
enum class Summed { kRounded, kSplit, kWide };

// What the sweeps need to know about one row.
struct Row {
  double to_exp2;  // log2(e) / T: softmax(z / T) ~ 2^(z * to_exp2)
  double top;      // largest logit
  double weight;   // w_k
  double z;        // sum_x exp((z(x) - top) / T)
  double inv_z;
  double noise;          // error of z that is seen, with room
  double doubt;          // rigorous bound on it
  double to_share;       // block_exp -> upper bound on w_k P_k in the block
  double offset;         // round(top * to_exp2)
  double unscale;        // 2^(offset - top * to_exp2)
  float hi, lo;          // to_exp2 as hi + lo
  float floor;           // logits below this are 2^-120 of the maximum: clamp
  float magic4, magic8;  // 1.5 * 2^23 / n - offset
  int top_token;         // lowest id whose logit is top
  int index;             // row number in the input
  bool narrow;           // the f32 sweep can represent this row
  Summed summed;
  RowStatus status;
};

// Constants of 2^(z * to_exp2 - offset) in f32, where f32 can hold them.
inline void set_scale(float temperature, Row* row) {
  const double c = 0x1.71547652b82fep+0 / static_cast<double>(temperature);
  const double place = row->top * c;
  const double offset = nearbyint(place);
  row->to_exp2 = c;
  row->offset = offset;
  row->narrow = fabs(place) < 16384.0 && c > 0x1p-60 && c < 0x1p+60;
  if (!row->narrow) {
    row->unscale = 1.0;
    return;
  }
  row->hi = static_cast<float>(c);
  row->lo = static_cast<float>(c - static_cast<double>(row->hi));
  row->floor = static_cast<float>((offset - 120.0) / c);
  row->magic4 = static_cast<float>(0x1.8p+21 - offset);
  row->magic8 = static_cast<float>(0x1.8p+20 - offset);
  row->unscale = exp2(offset - place);
}

// 2^(j / 4) to 12 bits, so that equal ones add up exactly, and log2 of what
// that leaves. Every table of roots lacks j at the bit to which t's integer is
// shifted: adding that puts j back, and k into the exponent.
alignas(64) constexpr float kShortRoot[16] = {
    0x1.0000p+0f, 0x1.f060p-1f, 0x1.ea00p-1f, 0x1.ee80p-1f,
    0x1.0000p+0f, 0x1.f060p-1f, 0x1.ea00p-1f, 0x1.ee80p-1f,
    0x1.0000p+0f, 0x1.f060p-1f, 0x1.ea00p-1f, 0x1.ee80p-1f,
    0x1.0000p+0f, 0x1.f060p-1f, 0x1.ea00p-1f, 0x1.ee80p-1f};
alignas(64) constexpr float kShortRest[16] = {
    0.0f, 0x1.3438bcp-12f, 0x1.4332bep-13f, 0x1.11d4a2p-13f,
    0.0f, 0x1.3438bcp-12f, 0x1.4332bep-13f, 0x1.11d4a2p-13f,
    0.0f, 0x1.3438bcp-12f, 0x1.4332bep-13f, 0x1.11d4a2p-13f,
    0.0f, 0x1.3438bcp-12f, 0x1.4332bep-13f, 0x1.11d4a2p-13f};
// 2^(j / 8) in f32, and 2^(j / 4) in f64.
alignas(64) constexpr float kRoot8[16] = {
    0x1.000000p+0f, 0x1.f72b84p-1f, 0x1.f06fe0p-1f, 0x1.ebfdaep-1f,
    0x1.ea09e6p-1f, 0x1.eace54p-1f, 0x1.ee89fap-1f, 0x1.f5818ep-1f,
    0x1.000000p+0f, 0x1.f72b84p-1f, 0x1.f06fe0p-1f, 0x1.ebfdaep-1f,
    0x1.ea09e6p-1f, 0x1.eace54p-1f, 0x1.ee89fap-1f, 0x1.f5818ep-1f};
alignas(64) constexpr double kRoot4[8] = {
    0x1.0000000000000p+0, 0x1.f06fe0a31b715p-1, 0x1.ea09e667f3bcdp-1,
    0x1.ee89f995ad3adp-1, 0x1.0000000000000p+0, 0x1.f06fe0a31b715p-1,
    0x1.ea09e667f3bcdp-1, 0x1.ee89f995ad3adp-1};

// The exponent z * to_exp2 - offset, reduced: t holds n k + j.
struct Reduced {
  F t, r;
};

// magic is 1.5 2^23 / n - offset. The product is fused: r errs by one rounding,
// and by z * lo.
inline Reduced reduce_short(F z, float magic, const Row& row) {
  const F hi = Simd::set(row.hi), m = Simd::set(magic);
  const F t = Simd::fma(z, hi, m);
  return {t, Simd::fms(z, hi, Simd::sub(t, m))};
}

inline Reduced reduce(F z, const Row& row) {  // n = 4
  const Reduced u = reduce_short(z, row.magic4, row);
  const F r = Simd::fma(z, Simd::set(row.lo), u.r);
  return {u.t, Simd::add(r, Simd::pick4(kShortRest, u.t))};
}

inline F short_root(F t) {
  return Simd::scale<21>(Simd::pick4(kShortRoot, t), t);
}

// (2^r - 1) / r for |r| up to 1/8; 2^r then errs by 3e-9.
inline F slope(F r) {
  F p = Simd::set(0x1.3b8140p-7f);
  p = Simd::fma(p, r, Simd::set(0x1.c6eb34p-5f));
  p = Simd::fma(p, r, Simd::set(0x1.ebfbd6p-3f));
  return Simd::fma(p, r, Simd::set(0x1.62e42cp-1f));
}

// 2^(z * to_exp2 - offset), within 2 ulp.
inline F exp_f32(F z, const Row& row) {
  const Reduced u = reduce(Simd::max(z, Simd::set(row.floor)), row);
  const F e = short_root(u.t);
  return Simd::fma(e, Simd::mul(slope(u.r), u.r), e);
}

// exp((z - top) / T) as root * power; 2^-1000 for all below it. Degree 8,
// error 3e-18 and one rounding each.
struct WideParts {
  D root, power;
};

inline D exact_exponent(D z, const Row& row) {
  return Simd::mul(Simd::sub(z, Simd::set_d(row.top)),
                   Simd::set_d(row.to_exp2));
}

inline WideParts exp_wide_parts(D exponent) {
  const D magic = Simd::set_d(0x1.8p+50);
  const D u = Simd::max(exponent, Simd::set_d(-1000.0));
  const D t = Simd::add(u, magic);
  const D r = Simd::sub(u, Simd::sub(t, magic));
  D p = Simd::set_d(0x1.62d12de383d9ap-20);
  p = Simd::fma(p, r, Simd::set_d(0x1.ffeab9c511d71p-17));
  p = Simd::fma(p, r, Simd::set_d(0x1.4309129225cd9p-13));
  p = Simd::fma(p, r, Simd::set_d(0x1.5d87fdc034626p-10));
  p = Simd::fma(p, r, Simd::set_d(0x1.3b2ab6fba6ae0p-7));
  p = Simd::fma(p, r, Simd::set_d(0x1.c6b08d7050738p-5));
  p = Simd::fma(p, r, Simd::set_d(0x1.ebfbdff82c58ep-3));
  p = Simd::fma(p, r, Simd::set_d(0x1.62e42fefa39edp-1));
  p = Simd::fma(p, r, Simd::set_d(1.0));
  return {Simd::scale<50>(Simd::pick4(kRoot4, t), t), p};
}

// exp((z - top) / T) in f64, exactly 0 below 2^-1000.
inline D exp_f64(D z, const Row& row) {
  const D exponent = exact_exponent(z, row);
  const WideParts e = exp_wide_parts(exponent);
  return Simd::zero_if_less(Simd::mul(e.root, e.power), exponent,
                            Simd::set_d(-1000.0));
}

}  // namespace
}  // namespace skynet
