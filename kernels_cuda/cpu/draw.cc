// SPDX-License-Identifier: Apache-2.0

#include "draw.h"

#include <math.h>

namespace skynet {
namespace {

double unit_interval(uint32_t low, uint32_t high) {
  const uint64_t bits = (static_cast<uint64_t>(high) << 32) | low;
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

uint32_t low(uint64_t value) {
  return static_cast<uint32_t>(value);
}

uint32_t high(uint64_t value) {
  return static_cast<uint32_t>(value >> 32);
}

// K / s = ln(1 + b / s) - v with v = b / (s + b). Since 1 + b / s = 1 / (1 - v)
// it is v^2 / 2 + v^3 / 3 + ...: no cancellation for a small bid.
double unit_charge(double b, double s) {
  const double v = b / (s + b);
  if (v >= 0.125) return log1p(b / s) - v;
  double sum = 0.0;
  for (int n = 19; n >= 2; --n) sum = sum * v + 1.0 / n;  // v^18 < 2^-53
  return sum * v * v;
}

}  // namespace

void philox(const uint32_t key[2], uint32_t x[4]) {
  uint32_t k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; ++round) {
    const uint64_t even = static_cast<uint64_t>(x[0]) * 0xD2511F53u;
    const uint64_t odd = static_cast<uint64_t>(x[2]) * 0xCD9E8D57u;
    x[0] = high(odd) ^ x[1] ^ k0;
    x[1] = low(odd);
    x[2] = high(even) ^ x[3] ^ k1;
    x[3] = low(even);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}

Uniforms uniforms(const Draw& draw) {
  const uint32_t key[2] = {low(draw.seed), high(draw.seed)};
  uint32_t x[4] = {low(draw.conv), high(draw.conv), low(draw.index),
                   high(draw.index)};
  philox(key, x);
  return {unit_interval(x[0], x[1]), unit_interval(x[2], x[3])};
}

int draw_row(const double* weights, int rows, double u_row) {
  double total = 0.0;
  for (int k = 0; k < rows; ++k) total += weights[k];
  double sum = 0.0;
  int last = 0;
  for (int k = 0; k < rows; ++k) {
    if (!(weights[k] > 0.0)) continue;
    sum += weights[k];
    last = k;
    if (sum > u_row * total) break;
  }
  return last;
}

// 1 - q_-i / q = b (P_i - q_-i) / N, so that only that difference can cancel.
double stable_payment(double b, double s, double p, double without) {
  const double lead = p - without / s;
  if (!(lead > kTieRel * p)) return 0.0;
  return lead / (without + b * p) * (s + b) * s * unit_charge(b, s);
}

}  // namespace skynet
