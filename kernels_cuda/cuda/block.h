// SPDX-License-Identifier: Apache-2.0
//
// What one thread block holds of one reply. Every step of the auction is a
// function of (block, thread); steps pass values on through this memory only,
// never through a thread's own variables, so that a CPU can run all threads of
// a step one after the other and get the same bits.
#ifndef SKYNET_CUDA_BLOCK_H_
#define SKYNET_CUDA_BLOCK_H_

#include "exponential.h"
#include "job.h"
#include "layout.h"
#include "logits_view.h"

namespace skynet {

// One row of the reply, the same in every block.
struct Row {
  double weight;
  double top;     // largest logit
  double z;       // sum_x exp((z(x) - top) / T)
  double inv_z;   // 1 / z
  double lead;    // its top token's share of a blend, in units of `unit`
  int32_t octet;  // the lowest that holds the largest logit
  RowStatus status;
  bool active;  // valid, and w > 0

  SKYNET_CODE bool valid() const { return status == RowStatus::kOk; }
};

// What a reply's rows amount to.
struct Blend {
  double unit;      // the largest active weight
  double per_unit;  // 1 / unit
  double sure;      // share of a blend above which differences keep six digits
  int32_t active;   // rows that are
  int32_t exhaustive;  // weights too unlike for bounds in float32
  Status status;
};

// A draw in progress: where the running sum of a row crosses u_token Z.
struct Drawn {
  int32_t row;
  int32_t token;        // if this block holds it, else -1
  int32_t found;        // the warp that holds it, -1: another block
  double target;        // u_token Z
  double before;        // the sum up to that warp
  double warp[kWarps];  // sums over each warp's octets
};

struct Outcome {
  double margin;
  double blend;
  int32_t near_tie;
  int32_t unsure;   // float32 normalisers leave a decision or a digit open
  int32_t any_bid;  // somebody pays, so critical bids are due
};

struct Control {
  Job job;
  TopMemory top;
  Scale scale[kMaxRows];    // of this block's part of a row
  Top part_top[kMaxRows];   // its largest logit
  double part[kMaxRows];    // its sum of exponentials, by the f32 sweep
  float share[kMaxRows];    // crest -> upper bound on w P, in units of `unit`
  float bar[kMaxRows];      // bounds at or under it cannot matter; [0]: N
  double column[kMaxRows];  // P(best token)
  double rival[kMaxRows];   // B_-i(t)
  double pay[kMaxRows];
  Row row[kMaxRows];
  Peak peak[kMaxRows];
  Bid bid[kMaxRows];
  Candidate picked[kMaxRows];  // the last token picked for the top
  int32_t doubt[kMaxRows];     // this row's price needs float64 normalisers
  double drawn[kMaxRows];      // P(drawn token), where this block holds it
  double u_token;
  Drawn draw[2];  // the drawn row's token, the reference row's
  Head head;
  Blend blend;
  Outcome outcome;
  int32_t ref_token;          // row 0's, if this block holds it, else -1
  int32_t holder;             // rank of the block with the best token
  int32_t tied;               // lowest id that ties with the best
  int32_t promising[kWarps];  // octets evaluated first
  int32_t listed;
  int32_t list[kThreads];  // octets of this block to evaluate
};

template <class Logits>
struct Block {
  Control* control;
  Logits logits;
  char* partial;  // [rows][kWarps] of kPartialBytes
  double* round;  // [rows][kRound] P of the tokens under evaluation
  char* board;
  float* crest;  // [rows][octets] largest exponential of an octet
  int rank;      // among the blocks of the reply
  int blocks;
  int octets;  // of this block

  SKYNET_CODE const Job& job() const { return control->job; }
  SKYNET_CODE int rows() const { return control->job.rows; }
  SKYNET_CODE int first_token() const { return rank * octets * kOctet; }
  SKYNET_CODE BoardLayout at() const { return board_layout(blocks, rows()); }

  template <class T>
  SKYNET_CODE T& left_by(int k, int warp) const {
    static_assert(sizeof(T) == kPartialBytes, "a warp leaves this much");
    return reinterpret_cast<T*>(partial)[k * kWarps + warp];
  }
};

// Everything but the job lies where the layout says; `shared` is 16-aligned.
template <class Logits>
SKYNET_CODE Block<Logits> make_block(Control* control, char* shared, int rank,
                                     int blocks) {
  const Job& job = control->job;
  const Layout at =
      make_layout(job.rows, job.vocab, job.mode, kChunks<typename Logits::Type>,
                  blocks, Logits::kResident);
  const int first = rank * at.octets * kOctet;
  const int left = max_int(job.vocab - first, 0);
  Block<Logits> b;
  b.control = control;
  b.logits.source(&job, first, min_int(left, at.octets * kOctet));
  b.partial = shared + at.partial;
  b.round = reinterpret_cast<double*>(shared + at.round);
  b.rank = rank;
  b.blocks = blocks;
  b.octets = at.octets;
  if constexpr (Logits::kResident) {
    b.board = shared + at.board;
    b.crest = reinterpret_cast<float*>(shared + at.crest);
    b.logits.copy(shared + at.logits, at.row_bytes);
  }
  return b;
}

// For logits in device memory: where the team's scratch holds the rest.
template <class Logits>
SKYNET_CODE void join_team(Block<Logits>* b, char* scratch, const Scratch& at,
                           int turn) {
  b->board = scratch + at.board(turn);
  b->crest = reinterpret_cast<float*>(scratch + at.crest(b->rank));
}

// The cell of a board that a block fills for one row.
template <class T>
SKYNET_CODE T& cell(char* board, uint32_t offset, int rows, int sender, int k) {
  return reinterpret_cast<T*>(board + offset)[sender * rows + k];
}

// Who pays can be known only where somebody else takes part.
SKYNET_CODE bool pays(const Control& c, int k) {
  return k > 0 && c.row[k].active && c.blend.active > 1;
}

SKYNET_CODE bool good_weight(float w) {
  return w >= 0.0f && w < INFINITY;
}

// All rows' octets, in runs of 32, are dealt to the warps in equal contiguous
// parts, so that a warp reduces for few rows. This is a warp's part of row k.
struct Runs {
  int first, end;

  SKYNET_CODE bool empty() const { return first >= end; }
};

template <class Logits>
SKYNET_CODE Runs runs_of(const Block<Logits>& b, int k, int warp) {
  const int runs = divide_up(b.octets, 32);
  const int all = b.rows() * runs;
  return {max_int(warp * all / kWarps - k * runs, 0),
          min_int((warp + 1) * all / kWarps - k * runs, runs)};
}

// f(octet) for a thread's octets of row k.
template <class Logits, class F>
SKYNET_CODE void each_octet(const Block<Logits>& b, int k, int thread,
                            const F& f) {
  const Runs runs = runs_of(b, k, thread / 32);
  SKYNET_ROLLED
  for (int run = runs.first; run < runs.end; ++run) {
    const int octet = run * 32 + thread % 32;
    if (octet < b.octets) f(octet);
  }
}

}  // namespace skynet

#endif  // SKYNET_CUDA_BLOCK_H_
