// SPDX-License-Identifier: Apache-2.0
//
// Step 2 in sampling mode: the token is drawn from one row by its cumulative
// sum, in float64 and in id order. The reference row answers the same draw.
// A running sum is kept per block, then per warp, then per strip of octets, and
// only the strip it ends in is looked at token by token.
#ifndef SKYNET_CUDA_DRAW_H_
#define SKYNET_CUDA_DRAW_H_

#include "philox.h"
#include "rows.h"

namespace skynet {

constexpr int kDraws = 2;  // the drawn row's token, the reference row's

SKYNET_CODE int draw_row(const Control& c, double u) {
  double total = 0.0;
  SKYNET_ROLLED
  for (int k = 0; k < c.job.rows; ++k) {
    if (c.row[k].active) total += c.row[k].weight;
  }
  double sum = 0.0;
  int last = 0;
  SKYNET_ROLLED
  for (int k = 0; k < c.job.rows; ++k) {
    if (!c.row[k].active) continue;
    sum += c.row[k].weight;
    last = k;
    if (sum > u * total) break;
  }
  return last;
}

// Thread 0: which rows are searched.
SKYNET_CODE void start_draw(Control& c) {
  const Uniforms u = uniforms(c.job.draw);
  c.u_token = u.token;
  c.draw[0].row = draw_row(c, u.row);
  c.draw[1].row = 0;
}

// ---- The sums ------------------------------------------------------------
template <class Logits>
SKYNET_CODE double term(const Block<Logits>& b, int k, int token) {
  const Row& row = b.control->row[k];
  return exp_f64(b.logits.at(k, token), row.top, b.job().to_exp2);
}

template <class Logits>
SKYNET_CODE double sum_octets(const Block<Logits>& b, int k, int first,
                              int end) {
  double sum = 0.0;
  SKYNET_UNROLL_BY_4
  for (int x = first * kOctet; x < end * kOctet; ++x) sum += term(b, k, x);
  return sum;
}

// Octets are dealt to warps, and a warp's to strips, in id order.
SKYNET_CODE int first_of(int part, int parts, int octets) {
  return min_int(part * divide_up(octets, parts), octets);
}

template <class Logits>
SKYNET_CODE double sum_for_warp(const Block<Logits>& b, int d, int thread) {
  const int warp = thread / 32;
  const int end = first_of(warp + 1, kWarps, b.octets);
  double sum = 0.0;
  SKYNET_ROLLED
  for (int o = first_of(warp, kWarps, b.octets) + thread % 32; o < end;
       o += 32) {
    sum += sum_octets(b, b.control->draw[d].row, o, o + 1);
  }
  return sum;
}

// Every draw's sum over this block goes to all.
template <class Logits>
SKYNET_CODE void post_draw(const Block<Logits>& b, char* board, int d) {
  double sum = 0.0;
  SKYNET_ROLLED
  for (int w = 0; w < kWarps; ++w) sum += b.control->draw[d].warp[w];
  cell<double>(board, b.at().draws, kDraws, b.rank, d) = sum;
}

// ---- The search ----------------------------------------------------------
// The first part with which a running sum exceeds the target; the last part
// with anything in it if rounding leaves none.
struct Search {
  double target;
  double sum;    // of the parts before `part`
  double ahead;  // of the parts so far
  int part;

  SKYNET_CODE bool add(int next, double value) {
    if (!(value > 0.0)) return false;
    sum = ahead;
    ahead += value;
    part = next;
    return ahead > target;
  }
};

// Thread d's warp: which block, then which warp of it, holds draw d's token.
template <class Logits>
SKYNET_CODE void find_warp(const Block<Logits>& b, int d) {
  const uint32_t draws = b.at().draws;
  Drawn& draw = b.control->draw[d];
  double total = 0.0;
  SKYNET_ROLLED
  for (int s = 0; s < b.blocks; ++s) {
    total += cell<double>(b.board, draws, kDraws, s, d);
  }
  Search blocks = {b.control->u_token * total, 0.0, 0.0, 0};
  SKYNET_ROLLED
  for (int s = 0; s < b.blocks; ++s) {
    if (blocks.add(s, cell<double>(b.board, draws, kDraws, s, d))) break;
  }
  draw.token = -1;
  draw.found = -1;
  if (blocks.part != b.rank) return;
  Search warps = {blocks.target, blocks.sum, blocks.sum, 0};
  SKYNET_ROLLED
  for (int w = 0; w < kWarps; ++w) {
    if (warps.add(w, draw.warp[w])) break;
  }
  draw.target = warps.target;
  draw.before = warps.sum;
  draw.found = warps.part;
}

SKYNET_CODE int first_of_strip(const Control& c, int d, int strip, int octets) {
  const int first = first_of(c.draw[d].found, kWarps, octets);
  const int end = first_of(c.draw[d].found + 1, kWarps, octets);
  return first + first_of(strip, kThreads, end - first);
}

// The strips' sums, in the memory of the rounds.
template <class Logits>
SKYNET_CODE void sum_strips(const Block<Logits>& b, int thread) {
  SKYNET_ROLLED
  for (int d = 0; d < kDraws; ++d) {
    if (b.control->draw[d].found < 0) continue;
    b.round[d * kThreads + thread] =
        sum_octets(b, b.control->draw[d].row,
                   first_of_strip(*b.control, d, thread, b.octets),
                   first_of_strip(*b.control, d, thread + 1, b.octets));
  }
}

// The token itself: its strip, then its place there.
template <class Logits>
SKYNET_CODE void find_in_strip(const Block<Logits>& b, int d) {
  Drawn& draw = b.control->draw[d];
  if (draw.found < 0) return;
  Search strips = {draw.target, draw.before, draw.before, 0};
  SKYNET_ROLLED
  for (int i = 0; i < kThreads; ++i) {
    if (strips.add(i, b.round[d * kThreads + i])) break;
  }
  const int first = first_of_strip(*b.control, d, strips.part, b.octets);
  const int end = first_of_strip(*b.control, d, strips.part + 1, b.octets);
  Search tokens = {draw.target, strips.sum, strips.sum, first * kOctet};
  SKYNET_ROLLED
  for (int x = first * kOctet; x < end * kOctet; ++x) {
    if (tokens.add(x, term(b, draw.row, x))) break;
  }
  draw.token = b.first_token() + tokens.part;
}

// Thread k: P_k of the drawn token, in the block that holds it.
template <class Logits>
SKYNET_CODE void find_drawn_column(const Block<Logits>& b, int k) {
  const int token = b.control->draw[0].token;
  if (token < 0) return;
  const Row& row = b.control->row[k];
  b.control->drawn[k] =
      row.valid() ? term(b, k, token - b.first_token()) * row.inv_z : 0.0;
}

// Row k's P of the drawn token, from the block that holds it. Thread 0: the
// token takes the place of the best one, which becomes its rival.
template <class Logits>
SKYNET_CODE void post_drawn(const Block<Logits>& b, char* board, int k) {
  cell<Tie>(board, b.at().ties, b.rows(), b.rank, k) = {
      b.control->drawn[k], b.control->draw[0].token};
}

template <class Logits>
SKYNET_CODE void join_drawn(const Block<Logits>& b, int k) {
  Control& c = *b.control;
  SKYNET_ROLLED
  for (int s = 0; s < b.blocks; ++s) {
    const Tie& tie = cell<Tie>(b.board, b.at().ties, b.rows(), s, k);
    if (tie.token < 0) continue;
    c.column[k] = tie.p;
    if (k > 0) continue;
    const int token = static_cast<int>(tie.token);
    if (token != c.head.token) c.head.second = c.head.first;
    c.head.token = token;
  }
}

}  // namespace skynet

#endif  // SKYNET_CUDA_DRAW_H_
