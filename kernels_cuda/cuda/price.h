// SPDX-License-Identifier: Apache-2.0
//
// Step 3 in argmax mode: Clarke payments and critical bids.
#ifndef SKYNET_CUDA_PRICE_H_
#define SKYNET_CUDA_PRICE_H_

#include "blend.h"
#include "draw.h"

namespace skynet {

// The blend of the winner without one row; -1 leaves none out.
SKYNET_CODE double winner_without(const Control& c, int without) {
  double sum = 0.0;
  SKYNET_ROLLED
  for (int k = 0; k < c.job.rows; ++k) {
    const Row& row = c.row[k];
    if (k != without && row.active) sum += row.weight * c.column[k];
  }
  return sum;
}

// pay = max B_-i - B_-i(t), within [0, w_i P_i(t)]; 0 exactly if t is also a
// winner without i.
SKYNET_CODE double clarke(double peak, double rival, double ceiling) {
  const double pay = peak - rival;
  if (pay <= kTieRel * peak) return 0.0;
  return pay < ceiling ? pay : ceiling;
}

SKYNET_CODE Bid bid_of(double lead, double spread) {
  return {lead > 0.0 && spread > 0.0 ? lead / spread : 0.0, lead, spread};
}

SKYNET_CODE Bid higher(const Bid& a, const Bid& b) {
  const bool first = a.bid > b.bid || (a.bid == b.bid && a.spread < b.spread);
  return {first ? a.bid : b.bid, first ? a.lead : b.lead,
          first ? a.spread : b.spread};
}

// What row k owes in sampling mode; nothing if nobody else takes part.
SKYNET_CODE void price_drawn(Control& c, int k) {
  const double p = c.column[k];
  double others = 0.0;
  SKYNET_ROLLED
  for (int j = 0; j < c.job.rows; ++j) {
    if (j != k && c.row[j].active) others += c.row[j].weight;
  }
  const double weight = c.row[k].weight;
  const double lead = p - c.rival[k] / others;
  if (!(lead > kTieRel * p)) return;
  c.pay[k] = stable_payment(weight, others, lead, c.rival[k] + weight * p);
  c.doubt[k] = lead < c.blend.sure * p;
}

// What row k owes in argmax mode, and the bid its peak already forces.
SKYNET_CODE void price_best(Control& c, int k) {
  const double weight = c.row[k].weight;
  const double share = weight * c.column[k];
  const Peak& peak = c.peak[k];
  c.pay[k] = clarke(peak.value, c.rival[k], share);
  if (c.pay[k] <= 0.0) return;
  c.doubt[k] = c.pay[k] < c.blend.sure * peak.value;
  c.bid[k] = bid_of(peak.value - c.rival[k], share - weight * peak.p);
}

SKYNET_CODE void start_price(Control& c, int k) {
  c.pay[k] = 0.0;
  c.bid[k] = {0.0, 0.0, 0.0};
  c.doubt[k] = 0;
  c.rival[k] = winner_without(c, k);
}

// Thread k.
SKYNET_CODE void price_row(Control& c, int k) {
  start_price(c, k);
  if (!pays(c, k)) return;
  if (c.job.mode == Mode::kSample) {
    price_drawn(c, k);
  } else {
    price_best(c, k);
  }
}

// Thread 0: whether the winner and every price so far are beyond doubt.
SKYNET_CODE void judge(Control& c) {
  const bool sample = c.job.mode == Mode::kSample;
  const double blend = winner_without(c, -1);
  const double margin = blend - c.head.second;
  Outcome out = {margin, blend, 0, 0, 0};
  if (!sample) {
    out.margin = margin > 0.0 ? margin : 0.0;
    out.near_tie = out.margin <= kNearTieRel * blend;
    // Twice the bound: what lies just above it may prove to lie below.
    out.unsure = out.margin <= 2.0 * kNearTieRel * blend;
  }
  SKYNET_ROLLED
  for (int k = 1; k < c.job.rows; ++k) {
    out.unsure |= c.doubt[k];
    out.any_bid |= c.pay[k] > 0.0 && !sample;
  }
  c.outcome = out;
}

// Thread 0: the same once the bids are known.
SKYNET_CODE void judge_bids(Control& c) {
  SKYNET_ROLLED
  for (int k = 1; k < c.job.rows; ++k) c.outcome.unsure |= c.doubt[k];
}

// Whether a token of the octet may beat t at a bid found so far: then it sets a
// higher one (Dinkelbach's argument).
template <class Logits>
SKYNET_CODE bool may_raise(const Block<Logits>& b, int octet) {
  const Control& c = *b.control;
  const float bound = bound_octet(b, octet);
  SKYNET_ROLLED
  for (int k = 1; k < b.rows(); ++k) {
    if (c.pay[k] <= 0.0) continue;
    const double part = c.bid[k].bid;
    const float share = c.share[k] * b.crest[k * b.octets + octet];
    const double reach = static_cast<double>(bound) -
                         (1.0 - part) * static_cast<double>(share) +
                         static_cast<double>(bound * kSlack);
    const double bar = c.rival[k] + part * c.row[k].weight * c.column[k];
    if (reach * c.blend.unit > bar) return true;
  }
  return c.blend.exhaustive != 0;
}

template <class Logits>
SKYNET_CODE void list_if_raising(const Block<Logits>& b, int octet) {
  Control& c = *b.control;
  if (octet >= b.octets) return;
  if (may_raise(b, octet)) c.list[add_shared(&c.listed, 1)] = octet;
}

// The highest bid a lane's tokens of a round force on row k.
template <class Logits>
SKYNET_CODE Bid raise_bid(const Block<Logits>& b, int count, int k, int lane) {
  const Control& c = *b.control;
  Bid most = {0.0, 0.0, 0.0};
  if (c.pay[k] <= 0.0) return most;
  const double weight = c.row[k].weight;
  SKYNET_ROLLED
  for (int j = lane; j < count * kOctet; j += 32) {
    const double lead = blend_without(b, k, j) - c.rival[k];
    const double spread =
        weight * c.column[k] - weight * b.round[k * kRound + j];
    most = higher(most, bid_of(lead, spread));
  }
  return most;
}

// ---- The whole reply's, one warp a row -----------------------------------
template <class Logits>
SKYNET_CODE Bid bid_from(const Block<Logits>& b, int k, int sender) {
  if (sender >= b.blocks) return {0.0, 0.0, 0.0};
  return cell<Bid>(b.board, b.at().bids, b.rows(), sender, k);
}

template <class Logits>
SKYNET_CODE void set_bid(const Block<Logits>& b, int k, const Bid& most) {
  Control& c = *b.control;
  if (c.pay[k] <= 0.0) return;
  const double sure = c.blend.sure * (c.rival[k] + c.peak[k].value);
  c.doubt[k] |= most.spread < sure || most.lead < sure;
  c.bid[k] = {most.bid < 1.0 ? most.bid : 1.0, most.lead, most.spread};
}

}  // namespace skynet

#endif  // SKYNET_CUDA_PRICE_H_
