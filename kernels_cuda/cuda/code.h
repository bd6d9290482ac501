// SPDX-License-Identifier: Apache-2.0
//
// What lets the same kernel code compile for a GPU (nvcc) and for the CPU twin
// (g++): function qualifiers, and the few operations the two spell differently.
// Both give the same bits: products are fused only where fma is written.
//
// Loops are unrolled where they run for every logit. Elsewhere they are kept
// rolled: a reply's kernel runs most of its code once, so code is fetched more
// often than it is executed.
#ifndef SKYNET_CUDA_CODE_H_
#define SKYNET_CUDA_CODE_H_

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifdef __CUDACC__
#define SKYNET_CODE __device__ __forceinline__
#define SKYNET_BOTH __host__ __device__ inline
#define SKYNET_UNROLL _Pragma("unroll")
#define SKYNET_UNROLL_BY_4 _Pragma("unroll 4")
#define SKYNET_ROLLED _Pragma("unroll 1")
#else
#define SKYNET_CODE inline
#define SKYNET_BOTH inline
#define SKYNET_UNROLL
#define SKYNET_UNROLL_BY_4
#define SKYNET_ROLLED
#endif

namespace skynet {

SKYNET_BOTH int min_int(int a, int b) {
  return a < b ? a : b;
}

SKYNET_BOTH int max_int(int a, int b) {
  return a > b ? a : b;
}

SKYNET_BOTH int divide_up(int a, int b) {
  return (a + b - 1) / b;
}

#ifdef __CUDA_ARCH__

SKYNET_CODE int32_t bits_of(float a) {
  return __float_as_int(a);
}
SKYNET_CODE float float_of(int32_t a) {
  return __int_as_float(a);
}
SKYNET_CODE int64_t bits_of(double a) {
  return __double_as_longlong(a);
}
SKYNET_CODE double double_of(int64_t a) {
  return __longlong_as_double(a);
}
SKYNET_CODE uint32_t funnel(uint32_t low, uint32_t high, uint32_t bits) {
  return __funnelshift_r(low, high, bits);
}
SKYNET_CODE float larger(float a, float b) {
  return fmaxf(a, b);
}
// The larger, or NaN if either is NaN.
SKYNET_CODE float max_or_nan(float a, float b) {
  float most;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(most) : "f"(a), "f"(b));
  return most;
}
SKYNET_CODE int add_shared(int* counter, int amount) {
  return atomicAdd(counter, amount);
}

#else

SKYNET_CODE int32_t bits_of(float a) {
  int32_t bits;
  memcpy(&bits, &a, sizeof bits);
  return bits;
}
SKYNET_CODE float float_of(int32_t a) {
  float value;
  memcpy(&value, &a, sizeof value);
  return value;
}
SKYNET_CODE int64_t bits_of(double a) {
  int64_t bits;
  memcpy(&bits, &a, sizeof bits);
  return bits;
}
SKYNET_CODE double double_of(int64_t a) {
  double value;
  memcpy(&value, &a, sizeof value);
  return value;
}
SKYNET_CODE uint32_t funnel(uint32_t low, uint32_t high, uint32_t bits) {
  const uint64_t both = (static_cast<uint64_t>(high) << 32) | low;
  return static_cast<uint32_t>(both >> (bits & 31));
}
SKYNET_CODE float larger(float a, float b) {
  return a > b ? a : b;
}
SKYNET_CODE float max_or_nan(float a, float b) {
  if (a != a) return a;
  return b != b || b > a ? b : a;
}
SKYNET_CODE int add_shared(int* counter, int amount) {
  const int before = *counter;
  *counter += amount;
  return before;
}

#endif

}  // namespace skynet

#endif  // SKYNET_CUDA_CODE_H_
