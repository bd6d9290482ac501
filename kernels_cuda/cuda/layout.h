// SPDX-License-Identifier: Apache-2.0
//
// Where the blocks of one reply keep what. Its octets are dealt to its blocks
// in contiguous parts of equal size, so a block's token ids are one range.
#ifndef SKYNET_CUDA_LAYOUT_H_
#define SKYNET_CUDA_LAYOUT_H_

#include "../include/auction_contract.h"
#include "code.h"
#include "logit.h"

namespace skynet {

constexpr int kThreads = 256;  // of a block; every kernel has this many
constexpr int kWarps = kThreads / 32;
constexpr int kMaxCluster = 16;  // blocks; above 8 a device must allow it
constexpr int kMaxTeam = 32;     // blocks of the portable kernel on one reply
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

struct Tie {
  double p;       // P of the token below
  int64_t token;  // the sender's lowest id that ties with the best
};

struct Bid {
  double bid;     // threshold so far, as a share of the row's weight
  double lead;    // B_-i(x) - B_-i(t) at the token x that sets it
  double spread;  // w_i P_i(t) - w_i P_i(x) there
};

// Byte offsets of [blocks] or [blocks][rows] of each, and of the P of every
// sender's best token. Each has a place of its own: a block may still read one
// kind while a faster one posts the next.
struct BoardLayout {
  uint32_t sums, draws, heads, columns, peaks, ties, bids, bytes;
};

SKYNET_BOTH BoardLayout board_layout(int blocks, int rows) {
  const uint32_t cells = static_cast<uint32_t>(blocks * rows);
  BoardLayout at;
  at.sums = 0;
  at.draws = at.sums + cells * static_cast<uint32_t>(sizeof(RowSum));
  at.heads = at.draws + static_cast<uint32_t>(blocks * 2 * sizeof(double));
  at.columns = at.heads + static_cast<uint32_t>(blocks * sizeof(Head));
  at.peaks = at.columns + cells * static_cast<uint32_t>(sizeof(double));
  at.ties = at.peaks + cells * static_cast<uint32_t>(sizeof(Peak));
  at.bids = at.ties + cells * static_cast<uint32_t>(sizeof(Tie));
  at.bytes = (at.bids + cells * static_cast<uint32_t>(sizeof(Bid)) + 15) & ~15u;
  return at;
}

// ---- Memory --------------------------------------------------------------
constexpr uint32_t kPartialBytes = 8;  // what one warp leaves of a reduction

SKYNET_BOTH uint32_t round_up_16(uint32_t bytes) {
  return (bytes + 15) & ~15u;
}

// One block's part of one reply. With `resident` logits everything lies in its
// shared memory, else board and crests lie in its team's scratch.
struct Layout {
  int octets;
  uint32_t row_bytes;  // of one row's logits in shared memory
  uint32_t board_bytes, crest_bytes;
  uint32_t partial, round, board, crest, logits;  // byte offsets
  uint32_t shared_bytes;
};

// chunks: of an octet, see kChunks.
SKYNET_BOTH Layout make_layout(int rows, int vocab, Mode mode, int chunks,
                               int blocks, bool resident) {
  const uint32_t r = static_cast<uint32_t>(rows);
  Layout at;
  at.octets = divide_up(divide_up(vocab, kOctet), blocks);
  const uint32_t octets = static_cast<uint32_t>(at.octets);
  // One chunk more: a row that does not start on 16 bytes is copied as it lies.
  at.row_bytes = (octets * static_cast<uint32_t>(chunks) + 1) * 16;
  at.board_bytes = board_layout(blocks, rows).bytes;
  at.crest_bytes = round_up_16(r * octets * 4);
  at.partial = 0;
  at.round = round_up_16(r * kWarps * kPartialBytes);
  const uint32_t strips = mode == Mode::kSample ? 2 * kThreads * 8 : 0;
  const uint32_t round = r * kRound * 8;
  at.board = at.round + (strips > round ? strips : round);
  at.crest = at.board + at.board_bytes;
  at.logits = at.crest + at.crest_bytes;
  at.shared_bytes = resident ? at.logits + r * at.row_bytes : at.board;
  return at;
}

// What the blocks of a portable team share, in device memory: a barrier, boards
// and each block's crests. A team goes from reply to reply, and a block may be
// at the next one while another still reads this one's board, but no further:
// hence two boards, and sizes that are the largest of the launch.
struct Scratch {
  static constexpr uint32_t kBarrierBytes = 16;
  static constexpr uint32_t kBoards = 2;
  uint32_t board_bytes;
  uint32_t crest_bytes;

  SKYNET_BOTH uint32_t board(int turn) const {
    return kBarrierBytes + static_cast<uint32_t>(turn) % kBoards * board_bytes;
  }
  SKYNET_BOTH uint32_t crest(int rank) const {
    return kBarrierBytes + kBoards * board_bytes +
           static_cast<uint32_t>(rank) * crest_bytes;
  }
  SKYNET_BOTH uint32_t bytes(int blocks) const { return crest(blocks); }

  void grow(const Layout& at) {
    if (at.board_bytes > board_bytes) board_bytes = at.board_bytes;
    if (at.crest_bytes > crest_bytes) crest_bytes = at.crest_bytes;
  }
};

}  // namespace skynet

#endif  // SKYNET_CUDA_LAYOUT_H_
