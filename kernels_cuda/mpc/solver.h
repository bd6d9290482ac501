// SPDX-License-Identifier: Apache-2.0
//
// The maximiser of U on [0, w_max]. With cost model vcg it is known, see
// mpc_contract.h. With bid: evaluate the grid (a vector of points at a time),
// keep every gap between neighbours over which gain' falls through 0, start
// there, and take Newton steps on gain', bisecting where a step would leave the
// gap or gain'' >= 0 (mpc 2.3.2 with its corrections; in x rather than w, which
// the narrow components need). Gaps are solved side by side in the lanes of a
// vector. The best of them, of the grid's last point and of w = 0 wins.
#pragma once

#include "grid.h"

namespace skynet {
namespace mpc {
namespace {

constexpr int kMostGaps = 8;
constexpr int kMostSteps = 64;
// A point is settled when the next Newton step would move w by no more than
// this (mpc 2.2, block D) ...
constexpr double kSettledW = 1e-4;
// ... and gain no more than this share of v.
constexpr double kSettledGain = 1e-10;
// The seed's guard of the denominator, in units of the problem and on the side
// that keeps a negative second derivative away from 0.
constexpr double kGuard = 1e-6;

struct Solution {
  double w, gain;  // U(w) - U(0) per token of H'
  Method method;
  Steps steps;
};

struct Gaps {
  int count;
  double low[kMostGaps], high[kMostGaps], start[kMostGaps];
};

template <class L>
struct Slopes {
  L first, second, exp_x;  // gain', gain'', e^x
};

template <class L>
SKYNET_HD inline Slopes<L> slopes(const Mixture& m, double v, L x) {
  const Density<L> d = density(m, x);
  const L e = L::exp(x);
  return {L::set(v) * d.h - e, L::set(v) * d.slope - e, e};
}

template <class L>
SKYNET_HD inline L gain_at(const Mixture& m, double v, double reserve, L x) {
  return L::set(v) * level(m, x).cdf - L::set(reserve) - L::exp(x);
}

template <class L>
SKYNET_HD inline double first_lane(L value) {
  double lane[L::kWidth];
  value.store(lane);
  return lane[0];
}

// Where ln rho, which is nearly straight over a gap, falls through 0.
SKYNET_HD inline double start_in(double low, double high, double rho_low,
                                 double rho_high) {
  const double a = log(rho_low), b = log(rho_high);
  const double x = low + (high - low) * (a / (a - b));
  return x >= low && x <= high ? x : 0.5 * (low + high);
}

// The gaps that hold a maximum. True if gain still rises at the last point. No
// grid point beats the best of these: uphill from any of them lies one.
template <class L>
SKYNET_HD inline bool scan(const Mixture& m, double v, const Grid& grid,
                           Gaps* gaps) {
  double rise[kGrid], exp_x[kGrid];
  for (int k = 0; k < kGrid; k += L::kWidth) {
    const L x = L::load(grid.x + k);
    (L::set(v) * density(m, x).h).store(rise + k);
    L::exp(x).store(exp_x + k);
  }
  gaps->count = 0;
  for (int k = 1; k < kGrid; ++k) {
    if (rise[k] > exp_x[k] || rise[k - 1] <= exp_x[k - 1]) continue;
    if (gaps->count == kMostGaps) break;
    const int n = gaps->count++;
    gaps->low[n] = grid.x[k - 1];
    gaps->high[n] = grid.x[k];
    gaps->start[n] = start_in(grid.x[k - 1], grid.x[k],
                              rise[k - 1] / exp_x[k - 1], rise[k] / exp_x[k]);
  }
  return rise[kGrid - 1] > exp_x[kGrid - 1];
}

template <class L>
struct Walk {
  L x, low, high, newton, bisection;
};

// One step of every lane that is not settled; false when all are.
template <class L>
SKYNET_HD inline bool advance(const Mixture& m, double v, Walk<L>* walk) {
  const L zero = L::set(0.0), one = L::set(1.0), half = L::set(0.5);
  const L x = walk->x;
  const Slopes<L> s = slopes(m, v, x);
  const auto rising = L::less(zero, s.first);
  walk->low = L::select(rising, x, walk->low);
  walk->high = L::select(rising, walk->high, x);
  const L move = s.first / (s.second - L::set(kGuard) * s.exp_x);
  const L next = x - move;
  const L size = L::abs(move);
  const auto falls = L::less(s.second, zero);
  const auto close =
      L::both(L::less(size * s.exp_x, L::set(kSettledW)),
              L::less(half * L::abs(s.first) * size, L::set(kSettledGain * v)));
  const L width = walk->high - walk->low;
  const L least = L::set(0x1p-50) * (one + L::abs(x));
  const auto settled = L::either(L::both(falls, close), L::less(width, least));
  const auto inside = L::both(
      falls, L::both(L::less(walk->low, next), L::less(next, walk->high)));
  const L middle = half * (walk->low + walk->high);
  walk->x = L::select(settled, x, L::select(inside, next, middle));
  const L moved = L::select(settled, zero, one);
  const L by_newton = L::select(inside, moved, zero);
  walk->newton = walk->newton + by_newton;
  walk->bisection = walk->bisection + (moved - by_newton);
  return L::bits(settled) != (1u << L::kWidth) - 1u;
}

struct Root {
  double x, gain;
  Steps steps;
};

template <class L>
SKYNET_HD inline void refine(const Mixture& m, double v, double reserve,
                             const double* low, const double* high,
                             const double* start, Root* roots) {
  const L zero = L::set(0.0);
  Walk<L> walk = {L::load(start), L::load(low), L::load(high), zero, zero};
  for (int i = 0; i < kMostSteps && advance(m, v, &walk); ++i) {
  }
  double x[L::kWidth], gain[L::kWidth], newton[L::kWidth], bisected[L::kWidth];
  walk.x.store(x);
  gain_at(m, v, reserve, walk.x).store(gain);
  walk.newton.store(newton);
  walk.bisection.store(bisected);
  for (int k = 0; k < L::kWidth; ++k) {
    roots[k] = {
        x[k],
        gain[k],
        {static_cast<int32_t>(newton[k]), static_cast<int32_t>(bisected[k])}};
  }
}

SKYNET_HD inline Method method_of(const Steps& steps) {
  if (steps.bisection > 0) return Method::kBisection;
  return steps.newton > 0 ? Method::kNewton : Method::kGrid;
}

template <class L>
SKYNET_HD inline Solution solve_bid(const Row& row) {
  const Mixture& m = row.mixture;
  const double v = row.worth / row.tokens, r = row.reserve;
  Solution best = {0.0, 0.0, Method::kGrid, {0, 0}};
  const double w_hi = row.w_max < v ? row.w_max : v;  // above v, F <= 1 loses
  if (!(w_hi > r)) return best;
  const double x_hi = log(w_hi - r);
  Grid grid;
  Gaps gaps;
  fill_grid(m, v, x_hi, &grid);
  const bool rising = scan<L>(m, v, grid, &gaps);
  double x = 0.0;
  for (int first = 0; first < gaps.count; first += L::kWidth) {
    for (int n = gaps.count; n < first + L::kWidth; ++n) {  // fill the vector
      gaps.low[n] = gaps.low[n - 1];
      gaps.high[n] = gaps.high[n - 1];
      gaps.start[n] = gaps.start[n - 1];
    }
    Root roots[L::kWidth];
    refine<L>(m, v, r, gaps.low + first, gaps.high + first, gaps.start + first,
              roots);
    for (const Root& root : roots) {
      if (!(root.gain > best.gain)) continue;
      x = root.x;
      best = {0.0, root.gain, method_of(root.steps), root.steps};
    }
  }
  if (rising) {
    const double last = first_lane(gain_at(m, v, r, L::set(x_hi)));
    if (last > best.gain) return {w_hi, last, Method::kGrid, {0, 0}};
  }
  if (!(best.gain > 0.0)) return best;
  const double w = r + exp(x);
  best.w = w < w_hi ? w : w_hi;
  return best;
}

// H'(v F - c) at w = min(v, w_max): the maximum, 0 only where F is.
template <class L>
SKYNET_HD inline Solution solve_vcg(const Row& row) {
  const double v = row.worth / row.tokens, r = row.reserve;
  Solution best = {0.0, 0.0, Method::kGrid, {0, 0}};
  const double w = row.w_max < v ? row.w_max : v;
  if (!(w > r)) return best;
  const L x = L::set(log(w - r));
  const L win = level(row.mixture, x).cdf;
  const L mean = mean_below(row.mixture, x, L::set(w - r));
  const double gain = first_lane(L::set(v - r) * win - mean);
  if (gain > 0.0) best = {w, gain, Method::kGrid, {0, 0}};
  return best;
}

template <class L>
SKYNET_HD inline Solution solve(const Row& row) {
  return row.cost == CostModel::kBid ? solve_bid<L>(row) : solve_vcg<L>(row);
}

}  // namespace
}  // namespace mpc
}  // namespace skynet
