// SPDX-License-Identifier: Apache-2.0
//
// The vector operations the kernel needs, on AVX2 + FMA + F16C: 8 floats or 4
// doubles. Included by one translation unit only.
#pragma once

#include <immintrin.h>
#include <stdint.h>

namespace skynet {
namespace {

struct Simd {
  static constexpr int kF = 8;  // floats in a vector
  static constexpr int kD = 4;  // doubles in a vector
  using F = __m256;
  using D = __m256d;
  using Mask = __m256;

  // ---- float ----
  static F load(const float* p) { return _mm256_loadu_ps(p); }
  static void store(float* p, F a) { _mm256_storeu_ps(p, a); }
  static F set(float a) { return _mm256_set1_ps(a); }
  static F add(F a, F b) { return _mm256_add_ps(a, b); }
  static F sub(F a, F b) { return _mm256_sub_ps(a, b); }
  static F mul(F a, F b) { return _mm256_mul_ps(a, b); }
  static F max(F a, F b) { return _mm256_max_ps(a, b); }
  // max(a, floor), and floor too where a > most: or-ing the comparison's ones
  // makes a NaN, for which max gives its second operand.
  static F max_or_floor(F a, F most, F floor) {
    const F over = _mm256_cmp_ps(a, most, _CMP_GT_OQ);
    return _mm256_max_ps(_mm256_or_ps(a, over), floor);
  }
  static F fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
  static F fms(F a, F b, F c) { return _mm256_fmsub_ps(a, b, c); }
  // a * 2^k, k being the integer in t's mantissa from bit 23 - kShift on.
  template <int kShift>
  static F scale(F a, F t) {
    __m256i k = _mm256_slli_epi32(_mm256_castps_si256(t), kShift);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a), k));
  }
  // table[j], j being the last 2 bits of t; the table is repeated to 16.
  static F pick4(const float* table, F t) {
    return _mm256_permutevar_ps(_mm256_load_ps(table), _mm256_castps_si256(t));
  }
  // table[j], j being the last 3 bits of t; the table is repeated to 16.
  static F pick8(const float* table, F t) {
    return _mm256_permutevar8x32_ps(_mm256_load_ps(table),
                                    _mm256_castps_si256(t));
  }
  static unsigned not_less(F a, F b) {
    return static_cast<unsigned>(
        _mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GE_OQ)));
  }
  static float hmax(F a) {
    __m128 m =
        _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
  }
  static Mask no_mask() { return _mm256_setzero_ps(); }
  static Mask either_nan(F a, F b) { return _mm256_cmp_ps(a, b, _CMP_UNORD_Q); }
  static Mask or_(Mask a, Mask b) { return _mm256_or_ps(a, b); }
  static bool any(Mask m) { return _mm256_movemask_ps(m) != 0; }
  static unsigned greater(F a, F b) {  // one bit per lane
    return static_cast<unsigned>(
        _mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GT_OQ)));
  }

  // ---- double ----
  static D load_d(const double* p) { return _mm256_loadu_pd(p); }
  static void store_d(double* p, D a) { _mm256_storeu_pd(p, a); }
  static D set_d(double a) { return _mm256_set1_pd(a); }
  static D widen(const float* p) { return _mm256_cvtps_pd(_mm_loadu_ps(p)); }
  static D widen_sum(F a) {  // low half + high half, as doubles
    return _mm256_add_pd(_mm256_cvtps_pd(_mm256_castps256_ps128(a)),
                         _mm256_cvtps_pd(_mm256_extractf128_ps(a, 1)));
  }
  static D add(D a, D b) { return _mm256_add_pd(a, b); }
  static D sub(D a, D b) { return _mm256_sub_pd(a, b); }
  static D mul(D a, D b) { return _mm256_mul_pd(a, b); }
  static D max(D a, D b) { return _mm256_max_pd(a, b); }
  static D fma(D a, D b, D c) { return _mm256_fmadd_pd(a, b, c); }
  template <int kShift>
  static D scale(D a, D t) {
    __m256i k = _mm256_slli_epi64(_mm256_castpd_si256(t), kShift);
    return _mm256_castsi256_pd(_mm256_add_epi64(_mm256_castpd_si256(a), k));
  }
  // table[j], j being the last 2 bits of t; the table is repeated to 8.
  static D pick4(const double* table, D t) {
    __m256i j = _mm256_shuffle_epi32(_mm256_castpd_si256(t), 0xA0);
    j = _mm256_add_epi32(_mm256_add_epi32(j, j),
                         _mm256_set1_epi64x(int64_t{1} << 32));
    return _mm256_castps_pd(
        _mm256_permutevar8x32_ps(_mm256_castpd_ps(_mm256_load_pd(table)), j));
  }
  static D zero_if_less(D value, D a, D b) {  // a < b ? 0 : value
    return _mm256_andnot_pd(_mm256_cmp_pd(a, b, _CMP_LT_OQ), value);
  }
  static unsigned greater(D a, D b) {  // one bit per lane
    return static_cast<unsigned>(
        _mm256_movemask_pd(_mm256_cmp_pd(a, b, _CMP_GT_OQ)));
  }
  static double hmax(D a) {
    __m128d m =
        _mm_max_pd(_mm256_castpd256_pd128(a), _mm256_extractf128_pd(a, 1));
    return _mm_cvtsd_f64(_mm_max_sd(m, _mm_unpackhi_pd(m, m)));
  }
  static double hsum(D a) {
    __m128d s =
        _mm_add_pd(_mm256_castpd256_pd128(a), _mm256_extractf128_pd(a, 1));
    return _mm_cvtsd_f64(_mm_add_sd(s, _mm_unpackhi_pd(s, s)));
  }

  // ---- conversions ----
  static F from_f16(const uint16_t* p) {
    return _mm256_cvtph_ps(
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static float from_f16(uint16_t h) { return _cvtsh_ss(h); }
  static F from_bf16(const uint16_t* p) {
    __m128i h = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
  }
};

}  // namespace
}  // namespace skynet
