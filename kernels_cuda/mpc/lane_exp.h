// SPDX-License-Identifier: Apache-2.0
//
// exp of a SIMD lane type, 0 below -708, within 1 ulp up to 709. Included by a
// lane type's header; L offers to_power: 2^k of the integer k kept in the low
// mantissa bits of t = k + kMagic.
#pragma once

namespace skynet {
namespace mpc {
namespace {

constexpr double kMagic = 0x1.8p+52;

template <class L>
inline L simd_exp(L a) {
  const L low = L::set(-708.0);
  const L x = L::min(L::max(a, low), L::set(709.0));
  const L t = L::fma(x, L::set(0x1.71547652b82fep+0), L::set(kMagic));
  const L k = t - L::set(kMagic);
  // ln 2 in two parts; the first has trailing zeros, so that k times it is
  // exact.
  L r = L::fma(k, L::set(-0x1.62e42fefa3800p-1), x);
  r = L::fma(k, L::set(-0x1.ef35793c76730p-45), r);
  L p = L::set(0x1.6124613a86d09p-33);  // 1 / 13!
  p = L::fma(p, r, L::set(0x1.1eed8eff8d898p-29));
  p = L::fma(p, r, L::set(0x1.ae64567f544e4p-26));
  p = L::fma(p, r, L::set(0x1.27e4fb7789f5cp-22));
  p = L::fma(p, r, L::set(0x1.71de3a556c734p-19));
  p = L::fma(p, r, L::set(0x1.a01a01a01a01ap-16));
  p = L::fma(p, r, L::set(0x1.a01a01a01a01ap-13));
  p = L::fma(p, r, L::set(0x1.6c16c16c16c17p-10));
  p = L::fma(p, r, L::set(0x1.1111111111111p-7));
  p = L::fma(p, r, L::set(0x1.5555555555555p-5));
  p = L::fma(p, r, L::set(0x1.5555555555555p-3));
  p = L::fma(p, r, L::set(0.5));
  p = L::fma(p, r, L::set(1.0));
  p = L::fma(p, r, L::set(1.0));
  const L value = p * L::to_power(t);
  return L::select(L::less(a, low), L::set(0.0), value);
}

}  // namespace
}  // namespace mpc
}  // namespace skynet
