// SPDX-License-Identifier: Apache-2.0
//
// Where the blocks of one reply keep what. Its octets are dealt to its blocks
// in contiguous parts of equal size, so a block's token ids are one range.
#ifndef SKYNET_CUDA_LAYOUT_H_
#define SKYNET_CUDA_LAYOUT_H_

#include "job.h"
#include "logit.h"

namespace skynet {

constexpr int kRoundOctets = 8;  // octets evaluated in float64 at a time
constexpr int kRound = kRoundOctets * kOctet;

// ---- The board: what the blocks of a reply tell each other ---------------
struct Top {
  float value;    // largest logit; +inf: one is NaN or +inf
  int32_t octet;  // of the reply; the lowest that holds the value
};

struct RowSum {
  double z;  // sum of exp((z - top) / T) over the sender's tokens
  Top top;   // of the sender's tokens
};

struct Head {
  double first;       // largest N
  double second;      // largest N of another token
  int32_t token;      // lowest id among equals
  int32_t ref_token;  // row 0's token if the sender holds it, else -1
};

struct Peak {
  double value;   // largest B_-i
  double p;       // P_i there
  int64_t token;  // lowest id among equals
};

struct Bid {
  double bid;     // threshold so far, as a share of the row's weight
  double lead;    // B_-i(x) - B_-i(t) at the token x that sets it
  double spread;  // w_i P_i(t) - w_i P_i(x) there
};

// Byte offsets of [blocks] or [blocks][rows] of each, and of the P of every
// sender's best token.
struct BoardLayout {
  uint32_t sums, heads, columns, peaks, bids, bytes;
};

SKYNET_BOTH BoardLayout board_layout(int blocks, int rows) {
  const uint32_t cells = static_cast<uint32_t>(blocks * rows);
  BoardLayout at;
  at.sums = 0;
  at.heads = at.sums + cells * static_cast<uint32_t>(sizeof(RowSum));
  at.columns = at.heads + static_cast<uint32_t>(blocks * sizeof(Head));
  at.peaks = at.columns + cells * static_cast<uint32_t>(sizeof(double));
  at.bids = at.peaks + cells * static_cast<uint32_t>(sizeof(Peak));
  at.bytes = (at.bids + cells * static_cast<uint32_t>(sizeof(Bid)) + 15) & ~15u;
  return at;
}

// ---- One block's memory --------------------------------------------------
constexpr uint32_t kPartialBytes = 8;   // what one warp leaves of a reduction
constexpr uint32_t kBarrierBytes = 16;  // a team's barrier opens its scratch

struct Layout {
  int octets;          // of one block
  uint32_t row_bytes;  // of one row's logits, where they lie in shared memory
  // Byte offsets. With logits in device memory, board and crest are offsets
  // into the team's scratch, one crest array a block.
  uint32_t partial, round, board, crest, logits;
  uint32_t crest_bytes;
  uint32_t shared_bytes, scratch_bytes;  // of a block, of a team
};

SKYNET_BOTH uint32_t round_up_16(uint32_t bytes) {
  return (bytes + 15) & ~15u;
}

// chunks: of an octet, see kChunks. resident: logits lie in shared memory.
SKYNET_BOTH Layout make_layout(int rows, int vocab, int chunks, int blocks,
                               bool resident) {
  const uint32_t r = static_cast<uint32_t>(rows);
  Layout at;
  at.octets = divide_up(divide_up(vocab, kOctet), blocks);
  const uint32_t octets = static_cast<uint32_t>(at.octets);
  const uint32_t board = board_layout(blocks, rows).bytes;
  at.crest_bytes = round_up_16(r * octets * 4);
  // One chunk more: a row that does not start on 16 bytes is copied as it lies.
  at.row_bytes = (octets * static_cast<uint32_t>(chunks) + 1) * 16;
  at.partial = 0;
  at.round = round_up_16(r * kWarps * kPartialBytes);
  const uint32_t end = at.round + r * kRound * 8;
  at.board = resident ? end : kBarrierBytes;
  at.crest = at.board + board;
  at.logits = at.crest + at.crest_bytes;
  at.shared_bytes = resident ? at.logits + r * at.row_bytes : end;
  at.scratch_bytes =
      resident ? 0 : at.crest + at.crest_bytes * static_cast<uint32_t>(blocks);
  return at;
}

}  // namespace skynet

#endif  // SKYNET_CUDA_LAYOUT_H_
