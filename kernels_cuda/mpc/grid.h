// SPDX-License-Identifier: Apache-2.0
//
// Where the maximum of U(w) under cost model bid is looked for, in x = ln(w -
// r) and per token (U / H', v = S / H'):
//
//   gain(x) = v F - r - e^x        gain'(x) = v h(x) - e^x
//
// At a stationary point rho_1 + rho_2 = 1, where rho_i = v a_i phi(z_i) /
// (s_i e^x) is one component's share. Completing the square,
//
//   rho_i = P_i exp(-(x - m_i)^2 / 2 s_i^2),  m_i = mu_i - s_i^2,
//   ln P_i = ln(v a_i / (s_i sqrt(2 pi))) - mu_i + s_i^2 / 2
//
// and since the larger rho_i lies in [1/2, 1], EVERY stationary point lies in
//
//   |x - m_i| / s_i  in  [sqrt(2 ln P_i), sqrt(2 ln 2 P_i)]   for an i,
//
// four short intervals, however narrow or far the components. Each gets kPoints
// points. A second, plain log-spaced grid covers what lies between.
#pragma once

#include "row.h"

namespace skynet {
namespace mpc {
namespace {

constexpr int kPoints = 8;     // of an interval: a whole number of vectors
constexpr int kIntervals = 4;  // two sides of two components
constexpr int kPlain = 32;     // log-spaced points
constexpr int kGrid = kIntervals * kPoints + kPlain;
constexpr double kLn2 = 0x1.62e42fefa39efp-1;
// The intervals are widened by this much of ln P, far above its rounding.
constexpr double kMargin = 0.02;
constexpr double kPlainSpan = 24.0;  // the plain grid's most, e^24 = 2.6e10

struct Grid {
  double x[kGrid];  // ascending within an interval and within the plain grid
};

SKYNET_HD inline void spread(double from, double to, double most, int count,
                             double* x) {
  for (int k = 0; k < count; ++k) {
    const double at = from + (to - from) * k / (count - 1);
    x[k] = at < most ? at : most;
  }
}

// x_hi: no larger x can be best. v > 0.
SKYNET_HD inline void fill_grid(const Mixture& m, double v, double x_hi,
                                Grid* grid) {
  double* x = grid->x;
  double x_lo = x_hi - 1.0;
  for (const Component& c : m.part) {
    const double square = c.sigma * c.sigma;
    const double log_peak = log(v * c.height) - c.mu + 0.5 * square;
    const double near = log_peak - kMargin, far = log_peak + kLn2 + kMargin;
    if (!(far > 0.0)) {  // never half of a stationary point (-inf: share 0)
      spread(x_hi, x_hi, x_hi, 2 * kPoints, x);
    } else {
      const double mode = c.mu - square;
      const double from = near > 0.0 ? c.sigma * sqrt(2.0 * near) : 0.0;
      const double to = c.sigma * sqrt(2.0 * far);
      spread(mode - to, mode - from, x_hi, kPoints, x);
      spread(mode + from, mode + to, x_hi, kPoints, x + kPoints);
    }
    x += 2 * kPoints;
    if (c.share > 0.0 && c.mu - 4.0 * c.sigma < x_lo) {
      x_lo = c.mu - 4.0 * c.sigma;
    }
  }
  const double floor_x = x_hi - kPlainSpan;
  spread(x_lo > floor_x ? x_lo : floor_x, x_hi, x_hi, kPlain, x);
  x[kPlain - 1] = x_hi;
}

}  // namespace
}  // namespace mpc
}  // namespace skynet
