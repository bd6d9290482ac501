// SPDX-License-Identifier: Apache-2.0
//
// Four doubles on AVX2 + FMA. Included by one translation unit only.
#pragma once

#include <immintrin.h>

#include "lane_exp.h"

namespace skynet {
namespace mpc {
namespace {

struct SimdLane {
  static constexpr int kWidth = 4;
  using Mask = __m256d;
  using L = SimdLane;
  __m256d v;

  static L set(double a) { return {_mm256_set1_pd(a)}; }
  static L load(const double* p) { return {_mm256_loadu_pd(p)}; }
  void store(double* p) const { _mm256_storeu_pd(p, v); }

  friend L operator+(L a, L b) { return {_mm256_add_pd(a.v, b.v)}; }
  friend L operator-(L a, L b) { return {_mm256_sub_pd(a.v, b.v)}; }
  friend L operator*(L a, L b) { return {_mm256_mul_pd(a.v, b.v)}; }
  friend L operator/(L a, L b) { return {_mm256_div_pd(a.v, b.v)}; }
  static L fma(L a, L b, L c) { return {_mm256_fmadd_pd(a.v, b.v, c.v)}; }
  static L min(L a, L b) { return {_mm256_min_pd(a.v, b.v)}; }
  static L max(L a, L b) { return {_mm256_max_pd(a.v, b.v)}; }
  static L abs(L a) { return {_mm256_andnot_pd(_mm256_set1_pd(-0.0), a.v)}; }
  static L exp(L a) { return simd_exp(a); }
  static L to_power(L t) {
    const __m256i k = _mm256_slli_epi64(_mm256_castpd_si256(t.v), 52);
    const __m256i one = _mm256_castpd_si256(_mm256_set1_pd(1.0));
    return {_mm256_castsi256_pd(_mm256_add_epi64(k, one))};
  }

  static Mask less(L a, L b) { return _mm256_cmp_pd(a.v, b.v, _CMP_LT_OQ); }
  static Mask both(Mask a, Mask b) { return _mm256_and_pd(a, b); }
  static Mask either(Mask a, Mask b) { return _mm256_or_pd(a, b); }
  static unsigned bits(Mask m) {  // one bit per lane
    return static_cast<unsigned>(_mm256_movemask_pd(m));
  }
  static L select(Mask m, L yes, L no) {
    return {_mm256_blendv_pd(no.v, yes.v, m)};
  }
};

}  // namespace
}  // namespace mpc
}  // namespace skynet
