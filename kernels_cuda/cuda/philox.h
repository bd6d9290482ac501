// SPDX-License-Identifier: Apache-2.0
//
// Sampling mode's arithmetic that touches no logit, as the contract defines it.
#ifndef SKYNET_CUDA_PHILOX_H_
#define SKYNET_CUDA_PHILOX_H_

#include "../include/auction_contract.h"
#include "code.h"

namespace skynet {

// Both in [0, 1), multiples of 2^-53.
struct Uniforms {
  double row;
  double token;
};

SKYNET_CODE uint32_t low_word(uint64_t value) {
  return static_cast<uint32_t>(value);
}

SKYNET_CODE uint32_t high_word(uint64_t value) {
  return static_cast<uint32_t>(value >> 32);
}

SKYNET_CODE double unit_interval(uint32_t low, uint32_t high) {
  const uint64_t bits = (static_cast<uint64_t>(high) << 32) | low;
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

// Philox4x32-10 (Salmon et al., SC 2011).
SKYNET_CODE Uniforms uniforms(const Draw& draw) {
  uint32_t k0 = low_word(draw.seed), k1 = high_word(draw.seed);
  uint32_t x0 = low_word(draw.conv), x1 = high_word(draw.conv);
  uint32_t x2 = low_word(draw.index), x3 = high_word(draw.index);
  SKYNET_ROLLED
  for (int round = 0; round < 10; ++round) {
    const uint64_t even = static_cast<uint64_t>(x0) * 0xD2511F53u;
    const uint64_t odd = static_cast<uint64_t>(x2) * 0xCD9E8D57u;
    x0 = high_word(odd) ^ x1 ^ k0;
    x1 = low_word(odd);
    x2 = high_word(even) ^ x3 ^ k1;
    x3 = low_word(even);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {unit_interval(x0, x1), unit_interval(x2, x3)};
}

// K / s = ln(1 + b / s) - v with v = b / (s + b). Since 1 + b / s = 1 / (1 - v)
// it is v^2 / 2 + v^3 / 3 + ...: no cancellation for a small bid.
SKYNET_CODE double unit_charge(double b, double s) {
  const double v = b / (s + b);
  if (v >= 0.125) return log1p(b / s) - v;
  double sum = 0.0;
  SKYNET_ROLLED
  for (int n = 19; n >= 2; --n) sum = sum * v + 1.0 / n;  // v^18 < 2^-53
  return sum * v * v;
}

// What row i pays for a drawn token, P_i(t) being `lead` above the blend of the
// others, q_-i(t). b = w_i, s > 0 the sum of the other weights, blend = N(t).
SKYNET_CODE double stable_payment(double b, double s, double lead,
                                  double blend) {
  return lead / blend * (s + b) * s * unit_charge(b, s);
}

}  // namespace skynet

#endif  // SKYNET_CUDA_PHILOX_H_
