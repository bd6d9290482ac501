// SPDX-License-Identifier: Apache-2.0
//
// Where the maximum of U(w) under cost model bid is looked for, in x = ln(w -
// r) and per token (U / H', v = S / H'):
//
//   gain(x) = v F - r - e^x        gain'(x) = v h(x) - e^x
//
// It rises where rho = v h(x) / e^x is above 1. Completing the square, rho is a
// mixture of two bells:
//
//   rho = sum_i P_i exp(-(x - m_i)^2 / 2 s_i^2),  m_i = mu_i - s_i^2,
//   ln P_i = ln(v a_i / (s_i sqrt(2 pi))) - mu_i + s_i^2 / 2
//
// Two bells have at most two modes, so gain has at most two maxima inside, each
// on the falling side of a mode. Each bell is covered in units of its own
// width, from well left of its mode to where rho_i has fallen to kFar, so that
// no component is too narrow or too far to be seen; the two lists are merged.
// In w they are log-spaced. The last point is the largest w worth trying; w = 0
// is the base that gain is counted from, and w = r is never better than 0.
#pragma once

#include "row.h"

namespace skynet {
namespace mpc {
namespace {

constexpr int kRising = 8;    // points left of a mode, denser towards it,
constexpr int kFalling = 24;  // and from it to the right
constexpr int kBell = kRising + kFalling;
constexpr int kGrid = 2 * kBell;
constexpr double kLeftmost = 6.0;  // in s_i
constexpr double kLogFar = 7.0;    // -ln kFar: 1e-3

struct Grid {
  double x[kGrid];  // ascending
};

// Ascending; none above most.
SKYNET_HD inline void cover(const Component& c, double v, double most,
                            double* x) {
  const double mode = c.mu - c.sigma * c.sigma;
  const double log_peak =
      log(v * c.height) - c.mu + 0.5 * c.sigma * c.sigma;  // -inf: share 0
  const double far = sqrt(2.0 * ((log_peak > 0.0 ? log_peak : 0.0) + kLogFar));
  for (int k = 0; k < kBell; ++k) {
    const int j = k - kRising;
    const double left = j * (1.0 / kRising), right = j * (1.0 / (kFalling - 1));
    const double z =
        j < 0 ? -kLeftmost * left * left : far * right * (0.25 + 0.75 * right);
    const double at = mode + c.sigma * z;
    x[k] = at < most ? at : most;
  }
}

// x_hi: no larger x can be best. v > 0.
SKYNET_HD inline void fill_grid(const Mixture& m, double v, double x_hi,
                                Grid* grid) {
  double bell[2][kBell + 1];
  for (int i = 0; i < 2; ++i) {
    cover(m.part[i], v, x_hi, bell[i]);
    bell[i][kBell] = INFINITY;  // the end of a list is never the smaller
  }
  int i = 0, j = 0;
  for (double& x : grid->x) {
    const double a = bell[0][i], b = bell[1][j];
    const bool first = a <= b;
    x = first ? a : b;
    i += first;
    j += !first;
  }
  grid->x[kGrid - 1] = x_hi;
}

}  // namespace
}  // namespace mpc
}  // namespace skynet
