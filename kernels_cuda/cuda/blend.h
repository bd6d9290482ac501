// SPDX-License-Identifier: Apache-2.0
//
// Step 2: the winner and, per advertiser, the best token without it.
//
// Crests bound every blend inside an octet from above, so only the octets that
// could hold a first or second place are evaluated, all in float64.
#ifndef SKYNET_CUDA_BLEND_H_
#define SKYNET_CUDA_BLEND_H_

#include "rows.h"

namespace skynet {

// Covers the f32 exponential, 33 products and sums in f32, and their scales.
constexpr double kInflate = 1.0 + 0x1p-15;
// A bound without one row is found by subtraction: its error is this much of
// the bound with it.
constexpr float kSlack = 0x1p-18f;
constexpr float kShrink = 1.0f - 0x1p-18f;  // of a bar, which errs low

// A difference of blends keeps six digits where it is more than this share of
// them: the f32 sweep's rounding errors are independent and leave 2e-9 of a
// normaliser. Equal logits err alike: the fewer values a row's logits can take
// per power of two of their exponentials, the larger the share must be.
constexpr double kSure = 0x1p-7;

SKYNET_CODE double sure_share(double values_apart) {
  return kSure * sqrt(1.0 + 40.0 * values_apart);
}

// Thread 0: who takes part. spacing: of neighbouring logits, relative.
SKYNET_CODE void join_blend(Control& c, double spacing) {
  double least = INFINITY, most = 0.0, apart = 0.0;
  int active = 0;
  SKYNET_ROLLED
  for (int k = 0; k < c.job.rows; ++k) {
    if (!c.row[k].active) continue;
    ++active;
    least = c.row[k].weight < least ? c.row[k].weight : least;
    most = c.row[k].weight > most ? c.row[k].weight : most;
    const double gap = fabs(c.row[k].top) * spacing * c.job.to_exp2;
    apart = gap > apart ? gap : apart;
  }
  c.blend.unit = most;
  c.blend.per_unit = 1.0 / most;
  c.blend.active = active;
  c.blend.sure = sure_share(apart);
  c.blend.exhaustive = least < most * 0x1p-40;
  c.blend.status = !c.row[0].valid() ? Status::kBadReference
                   : active == 0     ? Status::kNoWeight
                                     : Status::kOk;
}

// Thread k: its top token alone is worth this much, and so its share of a
// bound.
template <class Logits>
SKYNET_CODE void set_lead(const Block<Logits>& b, int k) {
  Control& c = *b.control;
  Row& row = c.row[k];
  const Scale& scale = c.scale[k];
  const double part = scale.present
                          ? exp_f64(c.part_top[k].value, row.top, c.job.to_exp2)
                          : 0.0;
  row.lead = row.active ? row.weight * c.blend.per_unit * row.inv_z : 0.0;
  c.share[k] = static_cast<float>(row.lead * part * scale.unscale * kInflate);
  c.peak[k] = {-1.0, 0.0, INT32_MAX};
}

// What B_-k surely reaches: the best of the other rows' leads.
SKYNET_CODE double sure_peak(const Control& c, int k) {
  double most = 0.0;
  SKYNET_UNROLL_BY_4
  for (int j = 0; j < c.job.rows; ++j) {
    const double lead = j == k ? 0.0 : c.row[j].lead;
    most = lead > most ? lead : most;
  }
  return most;
}

// What N surely reaches on two tokens; blends under 2^-60 of the best cannot
// change a margin.
SKYNET_CODE double sure_second(const Control& c) {
  int best = 0;
  SKYNET_ROLLED
  for (int k = 1; k < c.job.rows; ++k) {
    if (c.row[k].lead > c.row[best].lead) best = k;
  }
  double second = c.row[best].lead * 0x1p-60;
  SKYNET_ROLLED
  for (int k = 0; k < c.job.rows; ++k) {
    if (c.row[k].octet == c.row[best].octet) continue;
    if (c.row[k].lead > second) second = c.row[k].lead;
  }
  return second;
}

// Thread k.
SKYNET_CODE void set_bar(Control& c, int k) {
  const double sure = k == 0 ? sure_second(c) : sure_peak(c, k);
  c.bar[k] =
      c.blend.exhaustive != 0 ? -1.0f : static_cast<float>(sure) * kShrink;
  if (k > 0) return;
  c.head = {-1.0, -1.0, INT32_MAX, -1};
  c.listed = 0;
}

// The lowest id of the reference row's largest logit, if this block holds it.
template <class Logits>
SKYNET_CODE int find_ref_token(const Block<Logits>& b) {
  const Row& row = b.control->row[0];
  const int o = row.octet - b.rank * b.octets;
  if (o < 0 || o >= b.octets) return -1;
  int i = 0;
  while (static_cast<double>(b.logits.at(0, o * kOctet + i)) != row.top) ++i;
  return row.octet * kOctet + i;
}

template <class Logits>
SKYNET_CODE float bound_octet(const Block<Logits>& b, int octet) {
  float sum = 0.0f;
  SKYNET_UNROLL_BY_4
  for (int k = 0; k < b.rows(); ++k) {
    sum += b.control->share[k] * b.crest[k * b.octets + octet];
  }
  return sum;
}

// Whether a token of the octet may be first or second, or a peak.
template <class Logits>
SKYNET_CODE bool may_lead(const Block<Logits>& b, int octet, bool peaks) {
  const float bound = bound_octet(b, octet);
  if (bound > b.control->bar[0]) return true;
  if (!peaks) return false;
  SKYNET_ROLLED
  for (int k = 1; k < b.rows(); ++k) {
    const float share = b.control->share[k] * b.crest[k * b.octets + octet];
    const float without = bound - share + bound * kSlack;
    if (without > b.control->bar[k] && pays(*b.control, k)) return true;
  }
  return false;
}

// The thread's most promising octet: evaluated first, it raises the bars.
template <class Logits>
SKYNET_CODE Top find_promising(const Block<Logits>& b, int thread, bool peaks) {
  Top best = {-1.0f, INT32_MAX};
  SKYNET_ROLLED
  for (int o = thread; o < b.octets; o += kThreads) {
    if (may_lead(b, o, peaks)) best = higher(best, {bound_octet(b, o), o});
  }
  return best;
}

// Thread 0: one octet a warp.
template <class Logits>
SKYNET_CODE void list_promising(const Block<Logits>& b) {
  Control& c = *b.control;
  c.listed = 0;
  SKYNET_ROLLED
  for (int w = 0; w < kWarps; ++w) {
    if (c.promising[w] < b.octets) c.list[c.listed++] = c.promising[w];
  }
}

template <class Logits>
SKYNET_CODE void list_if_open(const Block<Logits>& b, int octet, bool peaks) {
  Control& c = *b.control;
  if (octet >= b.octets || octet == c.promising[octet / 32 % kWarps]) return;
  if (may_lead(b, octet, peaks)) c.list[add_shared(&c.listed, 1)] = octet;
}

// P_k of token j of a round: the list's octets from `from` on.
template <class Logits>
SKYNET_CODE void evaluate(const Block<Logits>& b, int from, int k, int j) {
  const Row& row = b.control->row[k];
  const int octet = b.control->list[from + j / kOctet];
  const float z = b.logits.at(k, octet * kOctet + j % kOctet);
  b.round[k * kRound + j] =
      row.valid() ? exp_f64(z, row.top, b.job().to_exp2) * row.inv_z : 0.0;
}

// The blend of token j of the round without one row; -1 leaves none out. Always
// added up, never obtained by subtraction: a dropped row leaves no trace.
template <class Logits>
SKYNET_CODE double blend_without(const Block<Logits>& b, int without, int j) {
  double sum = 0.0;
  SKYNET_UNROLL_BY_4
  for (int k = 0; k < b.rows(); ++k) {
    const Row& row = b.control->row[k];
    if (k != without && row.active) sum += row.weight * b.round[k * kRound + j];
  }
  return sum;
}

// A token in a ranking; `second` is the best value of the other tokens.
struct Contender {
  double first, second;
  int32_t token;   // id in the reply
  int32_t column;  // in the round
};

// Chosen field by field: a choice between references would put them in memory.
SKYNET_CODE Contender join(const Contender& a, const Contender& b) {
  const bool first =
      a.first > b.first || (a.first == b.first && a.token < b.token);
  const double loser = first ? b.first : a.first;
  const double second = first ? a.second : b.second;
  return {first ? a.first : b.first, loser > second ? loser : second,
          first ? a.token : b.token, first ? a.column : b.column};
}

template <class Logits>
SKYNET_CODE Contender contend(const Block<Logits>& b, int from, int count,
                              int without, int lane) {
  Contender best = {-1.0, -1.0, INT32_MAX, 0};
  SKYNET_ROLLED
  for (int j = lane; j < count * kOctet; j += 32) {
    const int octet = b.control->list[from + j / kOctet];
    const int token = b.first_token() + octet * kOctet + j % kOctet;
    if (token >= b.job().vocab) continue;
    best = join(best, {blend_without(b, without, j), -1.0, token, j});
  }
  return best;
}

SKYNET_CODE void raise_bar(Control& c, int k, double value) {
  const float bar = static_cast<float>(value * c.blend.per_unit) * kShrink;
  if (bar > c.bar[k] && c.blend.exhaustive == 0) c.bar[k] = bar;
}

// Enters a round's best token in the ranking of N.
template <class Logits>
SKYNET_CODE void enter_head(const Block<Logits>& b, const Contender& found) {
  Control& c = *b.control;
  const Contender old = {c.head.first, c.head.second, c.head.token, -1};
  const Contender best = join(old, found);
  c.head.first = best.first;
  c.head.second = best.second;
  c.head.token = best.token;
  raise_bar(c, 0, best.second);
  if (best.column < 0) return;
  SKYNET_ROLLED
  for (int k = 0; k < b.rows(); ++k) {
    c.column[k] = b.round[k * kRound + best.column];
  }
}

// The same for the blend without row k.
template <class Logits>
SKYNET_CODE void enter_peak(const Block<Logits>& b, int k,
                            const Contender& found) {
  Peak& peak = b.control->peak[k];
  if (found.first < peak.value) return;
  if (found.first == peak.value && found.token > peak.token) return;
  peak = {found.first, b.round[k * kRound + found.column], found.token};
  raise_bar(*b.control, k, found.first);
}

// Tells the others this block's best token and, for row k, its peak.
template <class Logits>
SKYNET_CODE void post_head(const Block<Logits>& b, char* board, int k) {
  const BoardLayout at = b.at();
  const Control& c = *b.control;
  cell<double>(board, at.columns, b.rows(), b.rank, k) = c.column[k];
  cell<Peak>(board, at.peaks, b.rows(), b.rank, k) = c.peak[k];
  if (k > 0) return;
  cell<Head>(board, at.heads, 1, b.rank, 0) = {c.head.first, c.head.second,
                                               c.head.token, c.ref_token};
}

// ---- The whole reply's, one warp each ------------------------------------
// Item 0: the best token, its column naming the block that holds it. Item k:
// the best token without row k.
template <class Logits>
SKYNET_CODE Contender head_from(const Block<Logits>& b, int k, int sender) {
  const Contender none = {-1.0, -1.0, INT32_MAX, 0};
  if (sender >= b.blocks) return none;
  if (k == 0) {
    const Head& head = cell<Head>(b.board, b.at().heads, 1, sender, 0);
    return {head.first, head.second, head.token, sender};
  }
  const Peak& peak = cell<Peak>(b.board, b.at().peaks, b.rows(), sender, k);
  return {peak.value, -1.0, static_cast<int32_t>(peak.token), sender};
}

template <class Logits>
SKYNET_CODE void set_head(const Block<Logits>& b, int k,
                          const Contender& best) {
  Control& c = *b.control;
  if (k == 0) {
    const double second = best.second > 0.0 ? best.second : 0.0;
    c.head = {best.first, second, best.token, -1};
    c.holder = best.column;
  } else {
    c.peak[k] = cell<Peak>(b.board, b.at().peaks, b.rows(), best.column, k);
  }
}

// Thread k: P_k of the best token. Thread 0: what the reference row says.
template <class Logits>
SKYNET_CODE void set_column(const Block<Logits>& b, int k) {
  Control& c = *b.control;
  c.column[k] = cell<double>(b.board, b.at().columns, b.rows(), c.holder, k);
  if (k > 0) return;
  SKYNET_UNROLL_BY_4
  for (int s = 0; s < b.blocks; ++s) {
    const Head& head = cell<Head>(b.board, b.at().heads, 1, s, 0);
    c.head.ref_token = max_int(c.head.ref_token, head.ref_token);
  }
}

}  // namespace skynet

#endif  // SKYNET_CUDA_BLEND_H_
