// SPDX-License-Identifier: Apache-2.0
//
// Among blends equal within kTieRel the lowest id wins. Looked at only when the
// margin, with float64 normalisers, is small enough for that to matter.
#ifndef SKYNET_CUDA_TIE_H_
#define SKYNET_CUDA_TIE_H_

#include "price.h"

namespace skynet {

SKYNET_CODE double least_winner(const Control& c) {
  return c.head.first * (1.0 - kTieRel);
}

template <class Logits>
SKYNET_CODE void list_if_tied(const Block<Logits>& b, int octet) {
  Control& c = *b.control;
  if (octet >= b.octets) return;
  if (b.first_token() + octet * kOctet > c.head.token) return;
  const double bound = static_cast<double>(bound_octet(b, octet));
  if (bound * c.blend.unit >= least_winner(c) || c.blend.exhaustive != 0) {
    c.list[add_shared(&c.listed, 1)] = octet;
  }
}

struct Place {
  int32_t token;   // id in the reply
  int32_t column;  // in the round
};

SKYNET_CODE Place lower(const Place& a, const Place& b) {
  const bool first = a.token < b.token;
  return {first ? a.token : b.token, first ? a.column : b.column};
}

// The lowest id of a lane's tokens of a round that wins.
template <class Logits>
SKYNET_CODE Place find_tied(const Block<Logits>& b, int from, int count,
                            int lane) {
  Place lowest = {INT32_MAX, 0};
  SKYNET_ROLLED
  for (int j = lane; j < count * kOctet; j += 32) {
    const int octet = b.control->list[from + j / kOctet];
    const int token = b.first_token() + octet * kOctet + j % kOctet;
    if (token < lowest.token &&
        blend_without(b, -1, j) >= least_winner(*b.control)) {
      lowest = {token, j};
    }
  }
  return lowest;
}

template <class Logits>
SKYNET_CODE void enter_tied(const Block<Logits>& b, const Place& found) {
  Control& c = *b.control;
  if (found.token >= c.tied) return;
  c.tied = found.token;
  SKYNET_ROLLED
  for (int k = 0; k < b.rows(); ++k) {
    c.column[k] = b.round[k * kRound + found.column];
  }
}

template <class Logits>
SKYNET_CODE void post_tied(const Block<Logits>& b, char* board, int k) {
  cell<Tie>(board, b.at().ties, b.rows(), b.rank, k) = {b.control->column[k],
                                                        b.control->tied};
}

// Thread k: moves the win to the lowest of the tied ids.
template <class Logits>
SKYNET_CODE void join_tied(const Block<Logits>& b, int k) {
  Control& c = *b.control;
  Tie lowest = {c.column[k], c.head.token};
  SKYNET_ROLLED
  for (int s = 0; s < b.blocks; ++s) {
    const Tie& tie = cell<Tie>(b.board, b.at().ties, b.rows(), s, k);
    if (tie.token < lowest.token) lowest = tie;
  }
  c.column[k] = lowest.p;
  if (k == 0) c.tied = static_cast<int32_t>(lowest.token);
}

// Thread 0: the token it was tied with is now the best of the others.
SKYNET_CODE void settle(Control& c) {
  if (c.tied >= c.head.token) return;
  c.head.token = c.tied;
  c.head.second = c.head.first;
}

}  // namespace skynet

#endif  // SKYNET_CUDA_TIE_H_
