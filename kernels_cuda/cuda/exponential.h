// SPDX-License-Identifier: Apache-2.0
//
// exp((z - top) / T) in two precisions. Polynomials, not the hardware's ex2:
// its error has no published bound that is tight enough, and the CPU twin could
// not repeat it bit for bit. Constants as in cpu/kernel_rows.h.
#ifndef SKYNET_CUDA_EXPONENTIAL_H_
#define SKYNET_CUDA_EXPONENTIAL_H_

#include "code.h"

namespace skynet {

// One row's constants, relative to `top`: the largest logit of the row, or of
// one thread block's part of it.
struct Scale {
  double top;
  double unscale;   // 2^(offset - top * to_exp2), offset = round(that product)
  float hi, lo;     // to_exp2 as hi + lo
  float floor;      // logits below this are 2^-120 of the maximum: clamp
  float magic;      // 1.5 * 2^23 - offset
  int32_t narrow;   // f32 can hold the constants above
  int32_t present;  // 0: every logit here is -inf, nothing to sum
};

// 2^u for u <= 1000, exactly 0 below 2^-1000; degree 11, error 2e-17.
SKYNET_CODE double exp2_f64(double exact) {
  const double u = exact > -1000.0 ? exact : -1000.0;
  const double t = u + 0x1.8p+52;
  const double r = u - (t - 0x1.8p+52);
  double p = 0x1.c0638cc3aa5d9p-32;
  p = fma(p, r, 0x1.e60619377e45bp-28);
  p = fma(p, r, 0x1.b5416a885b8c4p-24);
  p = fma(p, r, 0x1.62bfd48ef9ab7p-20);
  p = fma(p, r, 0x1.ffcbee3823223p-17);
  p = fma(p, r, 0x1.4309130966452p-13);
  p = fma(p, r, 0x1.5d87fe7bbcd3cp-10);
  p = fma(p, r, 0x1.3b2ab6fba1e08p-7);
  p = fma(p, r, 0x1.c6b08d7048f2ap-5);
  p = fma(p, r, 0x1.ebfbdff82c598p-3);
  p = fma(p, r, 0x1.62e42fefa39f3p-1);
  p = fma(p, r, 1.0);
  const uint64_t power = static_cast<uint64_t>(bits_of(t)) << 52;
  const uint64_t bits = static_cast<uint64_t>(bits_of(p)) + power;
  return exact < -1000.0 ? 0.0 : double_of(static_cast<int64_t>(bits));
}

// exp((z - top) / T) for z <= top.
SKYNET_CODE double exp_f64(float z, double top, double to_exp2) {
  return exp2_f64((static_cast<double>(z) - top) * to_exp2);
}

// 2^(z * to_exp2 - offset), within 2 ulp. The reduced argument is exact up to
// one rounding because the products are fused; degree 6, error 2.6e-9.
SKYNET_CODE float exp_f32(float z, const Scale& s) {
  z = larger(z, s.floor);
  const float t = fmaf(z, s.hi, s.magic);
  float r = fmaf(z, s.hi, -(t - s.magic));
  r = fmaf(z, s.lo, r);
  float p = 0x1.470bb8p-13f;
  p = fmaf(p, r, 0x1.5f72acp-10f);
  p = fmaf(p, r, 0x1.3b270ep-7f);
  p = fmaf(p, r, 0x1.c6ae72p-5f);
  p = fmaf(p, r, 0x1.ebfbe2p-3f);
  p = fmaf(p, r, 0x1.62e432p-1f);
  p = fmaf(p, r, 1.0f);
  const uint32_t power = static_cast<uint32_t>(bits_of(t)) << 23;
  return float_of(
      static_cast<int32_t>(static_cast<uint32_t>(bits_of(p)) + power));
}

// to_exp2 = c = log2(e) / T.
SKYNET_CODE Scale make_scale(float top, double c) {
  const double place = static_cast<double>(top) * c;
  const double offset = nearbyint(place);
  Scale s = {static_cast<double>(top), 1.0, 0.0f, 0.0f, 0.0f, 0.0f, 0, 1};
  s.narrow = fabs(place) < 16384.0 && c > 0x1p-60 && c < 0x1p+60;
  if (!s.narrow) return s;
  s.hi = static_cast<float>(c);
  s.lo = static_cast<float>(c - static_cast<double>(s.hi));
  s.floor = static_cast<float>((offset - 120.0) / c);
  s.magic = static_cast<float>(0x1.8p+23 - offset);
  s.unscale = exp2_f64(offset - place);
  return s;
}

}  // namespace skynet

#endif  // SKYNET_CUDA_EXPONENTIAL_H_
