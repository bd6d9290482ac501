// SPDX-License-Identifier: Apache-2.0
//
// One double as a "vector": the lane type of the scalar twin, and of a GPU
// thread. The SIMD lane types have the same members; everything else in this
// folder is a template over them.
#pragma once

#include <math.h>
#include <stdint.h>

#ifdef __CUDACC__
#define SKYNET_HD __host__ __device__
#else
#define SKYNET_HD
#endif

namespace skynet {
namespace mpc {
namespace {

struct ScalarLane {
  static constexpr int kWidth = 1;
  using Mask = bool;
  double v;

  SKYNET_HD static ScalarLane set(double a) { return {a}; }
  SKYNET_HD static ScalarLane load(const double* p) { return {*p}; }
  SKYNET_HD void store(double* p) const { *p = v; }

  SKYNET_HD friend ScalarLane operator+(ScalarLane a, ScalarLane b) {
    return {a.v + b.v};
  }
  SKYNET_HD friend ScalarLane operator-(ScalarLane a, ScalarLane b) {
    return {a.v - b.v};
  }
  SKYNET_HD friend ScalarLane operator*(ScalarLane a, ScalarLane b) {
    return {a.v * b.v};
  }
  SKYNET_HD friend ScalarLane operator/(ScalarLane a, ScalarLane b) {
    return {a.v / b.v};
  }
  // a b + c; not fused here, where fma() may be a library call.
  SKYNET_HD static ScalarLane fma(ScalarLane a, ScalarLane b, ScalarLane c) {
    return {a.v * b.v + c.v};
  }
  SKYNET_HD static ScalarLane min(ScalarLane a, ScalarLane b) {
    return a.v < b.v ? a : b;
  }
  SKYNET_HD static ScalarLane max(ScalarLane a, ScalarLane b) {
    return a.v > b.v ? a : b;
  }
  SKYNET_HD static ScalarLane abs(ScalarLane a) { return {fabs(a.v)}; }
  // exp(a), 0 below -708.
  SKYNET_HD static ScalarLane exp(ScalarLane a) {
    return {a.v < -708.0 ? 0.0 : ::exp(a.v)};
  }

  SKYNET_HD static Mask less(ScalarLane a, ScalarLane b) { return a.v < b.v; }
  SKYNET_HD static Mask both(Mask a, Mask b) { return a && b; }
  SKYNET_HD static Mask either(Mask a, Mask b) { return a || b; }
  SKYNET_HD static unsigned bits(Mask m) { return m ? 1u : 0u; }
  SKYNET_HD static ScalarLane select(Mask m, ScalarLane yes, ScalarLane no) {
    return m ? yes : no;
  }
};

}  // namespace
}  // namespace mpc
}  // namespace skynet
