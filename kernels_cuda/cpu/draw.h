// SPDX-License-Identifier: Apache-2.0
//
// Sampling mode's arithmetic that touches no logit: random numbers, the drawn
// row and the stable-sampling payment. Every path calls these, so a draw of a
// row cannot differ between them.
#ifndef SKYNET_AUCTION_DRAW_H_
#define SKYNET_AUCTION_DRAW_H_

#include "../include/auction_contract.h"

namespace skynet {

// Philox4x32-10 (Salmon et al., SC 2011). Replaces counter by its output.
void philox(const uint32_t key[2], uint32_t counter[4]);

// Both in [0, 1), multiples of 2^-53.
struct Uniforms {
  double row;
  double token;
};

Uniforms uniforms(const Draw& draw);

// weights[rows] with 0 for a dropped row, not all 0.
int draw_row(const double* weights, int rows, double u_row);

// What row i pays for a drawn token. b = w_i; s > 0 is the sum of the other
// weights, p = P_i(t), without = B_-i(t).
double stable_payment(double b, double s, double p, double without);

}  // namespace skynet

#endif  // SKYNET_AUCTION_DRAW_H_
