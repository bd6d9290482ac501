// SPDX-License-Identifier: Apache-2.0
//
// Eight doubles on AVX-512 F + DQ. Included by one translation unit only.
#pragma once

#include <immintrin.h>

#include "lane_exp.h"

namespace skynet {
namespace mpc {
namespace {

struct SimdLane {
  static constexpr int kWidth = 8;
  using Mask = __mmask8;
  using L = SimdLane;
  __m512d v;

  static L set(double a) { return {_mm512_set1_pd(a)}; }
  static L load(const double* p) { return {_mm512_loadu_pd(p)}; }
  void store(double* p) const { _mm512_storeu_pd(p, v); }

  friend L operator+(L a, L b) { return {_mm512_add_pd(a.v, b.v)}; }
  friend L operator-(L a, L b) { return {_mm512_sub_pd(a.v, b.v)}; }
  friend L operator*(L a, L b) { return {_mm512_mul_pd(a.v, b.v)}; }
  friend L operator/(L a, L b) { return {_mm512_div_pd(a.v, b.v)}; }
  static L fma(L a, L b, L c) { return {_mm512_fmadd_pd(a.v, b.v, c.v)}; }
  static L min(L a, L b) { return {_mm512_min_pd(a.v, b.v)}; }
  static L max(L a, L b) { return {_mm512_max_pd(a.v, b.v)}; }
  static L abs(L a) { return {_mm512_abs_pd(a.v)}; }
  static L exp(L a) { return simd_exp(a); }
  static L to_power(L t) {
    const __m512i k = _mm512_slli_epi64(_mm512_castpd_si512(t.v), 52);
    const __m512i one = _mm512_castpd_si512(_mm512_set1_pd(1.0));
    return {_mm512_castsi512_pd(_mm512_add_epi64(k, one))};
  }

  static Mask less(L a, L b) {
    return _mm512_cmp_pd_mask(a.v, b.v, _CMP_LT_OQ);
  }
  static Mask both(Mask a, Mask b) { return static_cast<Mask>(a & b); }
  static Mask either(Mask a, Mask b) { return static_cast<Mask>(a | b); }
  static unsigned bits(Mask m) { return m; }  // one bit per lane
  static L select(Mask m, L yes, L no) {
    return {_mm512_mask_blend_pd(m, no.v, yes.v)};
  }
};

}  // namespace
}  // namespace mpc
}  // namespace skynet
