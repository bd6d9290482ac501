// SPDX-License-Identifier: Apache-2.0
//
// The vector operations the kernel needs, on AVX-512 F + DQ: 16 floats or 8
// doubles. Included by one translation unit only.
#pragma once

#include <immintrin.h>
#include <stdint.h>

namespace skynet {
namespace {

struct Simd {
  static constexpr int kF = 16;  // floats in a vector
  static constexpr int kD = 8;   // doubles in a vector
  using F = __m512;
  using D = __m512d;
  using Mask = __mmask16;

  // ---- float ----
  static F load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, F a) { _mm512_storeu_ps(p, a); }
  static F set(float a) { return _mm512_set1_ps(a); }
  static F add(F a, F b) { return _mm512_add_ps(a, b); }
  static F sub(F a, F b) { return _mm512_sub_ps(a, b); }
  static F mul(F a, F b) { return _mm512_mul_ps(a, b); }
  static F max(F a, F b) { return _mm512_max_ps(a, b); }
  // max(a, floor), and floor too where a > most.
  static F max_or_floor(F a, F most, F floor) {
    const __mmask16 kept = _mm512_cmp_ps_mask(a, most, _CMP_LE_OQ);
    return _mm512_mask_max_ps(floor, kept, a, floor);
  }
  static F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
  static F fms(F a, F b, F c) { return _mm512_fmsub_ps(a, b, c); }
  // a * 2^k, k being the integer in t's mantissa from bit 23 - kShift on.
  template <int kShift>
  static F scale(F a, F t) {
    __m512i k = _mm512_slli_epi32(_mm512_castps_si512(t), kShift);
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a), k));
  }
  // table[j], j being the last 2 bits of t; the table is repeated to 16.
  static F pick4(const float* table, F t) {
    return _mm512_permutevar_ps(_mm512_load_ps(table), _mm512_castps_si512(t));
  }
  // table[j], j being the last 3 bits of t; the table is repeated to 16.
  static F pick8(const float* table, F t) {
    return _mm512_permutexvar_ps(_mm512_castps_si512(t), _mm512_load_ps(table));
  }
  static unsigned not_less(F a, F b) {
    return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ);
  }
  static float hmax(F a) { return _mm512_reduce_max_ps(a); }
  static Mask no_mask() { return 0; }
  static Mask either_nan(F a, F b) {
    return _mm512_cmp_ps_mask(a, b, _CMP_UNORD_Q);
  }
  static Mask or_(Mask a, Mask b) { return static_cast<Mask>(a | b); }
  static bool any(Mask m) { return m != 0; }
  static unsigned greater(F a, F b) {  // one bit per lane
    return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ);
  }

  // ---- double ----
  static D load_d(const double* p) { return _mm512_loadu_pd(p); }
  static void store_d(double* p, D a) { _mm512_storeu_pd(p, a); }
  static D set_d(double a) { return _mm512_set1_pd(a); }
  static D widen(const float* p) { return _mm512_cvtps_pd(_mm256_loadu_ps(p)); }
  static D widen_sum(F a) {  // low half + high half, as doubles
    return _mm512_add_pd(_mm512_cvtps_pd(_mm512_castps512_ps256(a)),
                         _mm512_cvtps_pd(_mm512_extractf32x8_ps(a, 1)));
  }
  static D add(D a, D b) { return _mm512_add_pd(a, b); }
  static D sub(D a, D b) { return _mm512_sub_pd(a, b); }
  static D mul(D a, D b) { return _mm512_mul_pd(a, b); }
  static D max(D a, D b) { return _mm512_max_pd(a, b); }
  static D fma(D a, D b, D c) { return _mm512_fmadd_pd(a, b, c); }
  template <int kShift>
  static D scale(D a, D t) {
    __m512i k = _mm512_slli_epi64(_mm512_castpd_si512(t), kShift);
    return _mm512_castsi512_pd(_mm512_add_epi64(_mm512_castpd_si512(a), k));
  }
  // table[j], j being the last 2 bits of t; the table is repeated to 8.
  static D pick4(const double* table, D t) {
    return _mm512_permutexvar_pd(_mm512_castpd_si512(t), _mm512_load_pd(table));
  }
  static D zero_if_less(D value, D a, D b) {  // a < b ? 0 : value
    return _mm512_maskz_mov_pd(_mm512_cmp_pd_mask(a, b, _CMP_GE_OQ), value);
  }
  static unsigned greater(D a, D b) {  // one bit per lane
    return _mm512_cmp_pd_mask(a, b, _CMP_GT_OQ);
  }
  static double hmax(D a) { return _mm512_reduce_max_pd(a); }
  static double hsum(D a) { return _mm512_reduce_add_pd(a); }

  // ---- conversions ----
  static F from_f16(const uint16_t* p) {
    return _mm512_cvtph_ps(
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static float from_f16(uint16_t h) { return _cvtsh_ss(h); }
  static F from_bf16(const uint16_t* p) {
    __m256i h = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
  }
};

}  // namespace
}  // namespace skynet
