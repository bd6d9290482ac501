// SPDX-License-Identifier: Apache-2.0
//
// The forecast of W_-i as a function of x = ln(w - r). h is its density in x:
// f(w) = h(x) / (w - r).
#pragma once

#include "../include/mpc_contract.h"
#include "normal.h"

namespace skynet {
namespace mpc {
namespace {

struct Component {
  double share;  // alpha or 1 - alpha
  double mu, sigma, inv_sigma;
  double height;  // share / (sigma sqrt(2 pi)), the largest h
};

struct Mixture {
  Component part[2];
};

SKYNET_HD inline Component component(double share, double mu, double sigma) {
  const double s = sigma < kSigmaMin ? kSigmaMin : sigma;
  return {share, mu, s, 1.0 / s, share * kInvSqrt2Pi / s};
}

template <class L>
struct Density {
  L h, slope;  // h(x), dh/dx
};

template <class L>
SKYNET_HD inline Density<L> density(const Mixture& m, L x) {
  Density<L> d = {L::set(0.0), L::set(0.0)};
  for (const Component& c : m.part) {
    const L z = (x - L::set(c.mu)) * L::set(c.inv_sigma);
    const L h = L::set(c.height) * bell(z);
    d.h = d.h + h;
    d.slope = d.slope - h * z * L::set(c.inv_sigma);
  }
  return d;
}

template <class L>
struct Level {
  L h, cdf;  // h(x), F
};

template <class L>
SKYNET_HD inline Level<L> level(const Mixture& m, L x) {
  Level<L> found = {L::set(0.0), L::set(0.0)};
  for (const Component& c : m.part) {
    const L z = (x - L::set(c.mu)) * L::set(c.inv_sigma);
    const Normal<L> n = normal(z);
    found.h = L::fma(L::set(c.height), n.bell, found.h);
    found.cdf = L::fma(L::set(c.share), n.cdf, found.cdf);
  }
  return found;
}

// E[W_-i 1{W_-i <= e^x}] = sum_i a_i exp(mu_i + s_i^2/2) Phi(z_i - s_i). Where
// Phi is a tail, exp(mu + s^2/2) may overflow and Phi underflow: their product
// is e^x exp(-z^2/2) erfcx((s - z) / sqrt 2) / 2, which does neither.
template <class L>
SKYNET_HD inline L mean_below(const Mixture& m, L x, L exp_x) {
  L sum = L::set(0.0);
  for (const Component& c : m.part) {
    const L z = (x - L::set(c.mu)) * L::set(c.inv_sigma);
    const L shifted = z - L::set(c.sigma);
    const L tail = L::set(0.5) * exp_x * bell(z) *
                   erfcx(L::abs(shifted) * L::set(kSqrtHalf));
    const L whole = L::exp(L::set(c.mu + 0.5 * c.sigma * c.sigma));
    const L below =
        L::select(L::less(shifted, L::set(0.0)), tail, whole - tail);
    sum = L::fma(L::set(c.share), below, sum);
  }
  return sum;
}

}  // namespace
}  // namespace mpc
}  // namespace skynet
