// SPDX-License-Identifier: Apache-2.0
//
// TopResult: each row's kTop best tokens, and every row's logits at all of
// them. Each block picks its own best one at a time, from its octets' largest
// logits; then rows are dealt to blocks to merge, and the logits are gathered
// from device memory.
#ifndef SKYNET_CUDA_TOP_H_
#define SKYNET_CUDA_TOP_H_

#include "rows.h"

namespace skynet {

SKYNET_CODE bool before(const Candidate& a, const Candidate& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

// Crests become the octets' largest logits among tokens not picked yet.
template <class Logits>
SKYNET_CODE void fill_crests(const Block<Logits>& b, int thread) {
  SKYNET_ROLLED
  for (int i = thread; i < b.rows() * b.octets; i += kThreads) {
    const int k = i / b.octets;
    b.crest[i] = b.control->row[k].valid()
                     ? largest(b.logits.octet(k, i % b.octets))
                     : -INFINITY;
  }
  if (thread < b.rows()) b.control->picked[thread] = {INFINITY, -1};
}

template <class Logits>
SKYNET_CODE Top find_pick(const Block<Logits>& b, int k, int thread) {
  Top top = {-INFINITY, INT32_MAX};
  each_octet(b, k, thread,
             [&](int o) { top = higher(top, {b.crest[k * b.octets + o], o}); });
  return top;
}

// Thread k: row k's next best token, and what is left of its octet.
template <class Logits>
SKYNET_CODE void pick(const Block<Logits>& b, int k, int place) {
  Control& c = *b.control;
  Top top = b.template left_by<Top>(k, 0);
  SKYNET_UNROLL
  for (int w = 1; w < kWarps; ++w) {
    top = higher(top, b.template left_by<Top>(k, w));
  }
  Candidate next = {-INFINITY, -1};
  if (top.value > -INFINITY) {
    float left = -INFINITY;
    SKYNET_ROLLED
    for (int i = 0; i < kOctet; ++i) {
      const int token = top.octet * kOctet + i;
      const Candidate found = {b.logits.at(k, token), b.first_token() + token};
      if (!before(c.picked[k], found)) continue;
      if (next.id < 0 && found.logit == top.value) {
        next = found;
      } else {
        left = larger(left, found.logit);
      }
    }
    b.crest[k * b.octets + top.octet] = left;
  }
  c.picked[k] = next;
  c.top.candidate(b.rank, k)[place] = next;
}

// The merged ranking of the rows that fall to this block.
template <class Logits>
SKYNET_CODE void merge_picks(const Block<Logits>& b, int thread) {
  const TopMemory& top = b.control->top;
  SKYNET_ROLLED
  for (int k = b.rank; k < b.rows(); k += b.blocks) {
    SKYNET_ROLLED
    for (int i = thread; i < b.blocks * kTop; i += kThreads) {
      const Candidate mine = top.candidate(i / kTop, k)[i % kTop];
      int better = 0, known = 0;
      SKYNET_UNROLL_BY_4
      for (int j = 0; j < b.blocks * kTop; ++j) {
        const Candidate other = top.candidate(j / kTop, k)[j % kTop];
        known += other.id >= 0;
        better += other.id >= 0 && before(other, mine);
      }
      if (mine.id >= 0 && better < kTop) top.best(k)[better] = mine.id;
      if (i < kTop && i >= known) top.best(k)[i] = -1;
    }
  }
}

template <class Logits>
SKYNET_CODE void gather(const Block<Logits>& b, int thread) {
  const TopMemory& top = b.control->top;
  const int places = b.rows() * kTop;
  SKYNET_ROLLED
  for (int i = b.rank * kThreads + thread; i < b.rows() * places;
       i += b.blocks * kThreads) {
    const int k = i / places, place = i % places;
    const int id = top.best(place / kTop)[place % kTop];
    const bool known = id >= 0 && b.control->row[k].valid();
    top.logit[i] = known ? b.logits.anywhere(k, id) : -INFINITY;
    if (k == 0) top.id[place] = id;
  }
}

}  // namespace skynet

#endif  // SKYNET_CUDA_TOP_H_
