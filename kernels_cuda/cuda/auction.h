// SPDX-License-Identifier: Apache-2.0
//
// One reply's auction from end to end, as the blocks that share it run it. An
// Exec supplies the threads:
//   phase(f)           f(block, thread) for every thread, then a block barrier
//   for_rows(f)        the same for threads 0 to rows - 1: f(block, row)
//   single(f)          the same for thread 0: f(block)
//   reduce(f, join, leave)             f(block, thread), joined within each
//                      warp, leave(block, warp, value)
//   reduce_rows(none, f, join, leave)  row by row: f(block, row, thread), then
//                      leave(block, row, warp, value); `none` from the warps
//                      that runs_of gives nothing of the row
//   reduce_by_warp(n, f, join, leave)  one warp an item: f(block, item, lane),
//                      leave(block, item, value)
//   post(n, f)         f(block, board, item) for every copy of the board, then
//                      a barrier of all blocks
//   meet()             a barrier of all blocks
//   each_block(f)      f(exec of one block): control flow of its own
//   read(f)            f(block): a value that steers control flow; the same in
//                      every block unless within each_block
#ifndef SKYNET_CUDA_AUCTION_H_
#define SKYNET_CUDA_AUCTION_H_

#include "report.h"
#include "top.h"

namespace skynet {

// ---- Step 1: rows --------------------------------------------------------
template <class Exec>
SKYNET_CODE void read_rows(Exec& exec) {
  exec.phase([](const auto& b, int thread) {
    for (int k = 0; k < b.rows(); ++k) {
      if (good_weight(b.job().weights[k])) b.logits.load(k, thread);
    }
    finish_copies();
  });
  exec.reduce_rows(
      Top{-INFINITY, INT32_MAX},
      [](const auto& b, int k, int thread) { return scan_part(b, k, thread); },
      [](const Top& a, const Top& b) { return higher(a, b); },
      [](const auto& b, int k, int warp, const Top& top) {
        b.template left_by<Top>(k, warp) = top;
      });
  exec.for_rows([](const auto& b, int k) { set_scale(b, k); });
}

template <class Exec>
SKYNET_CODE void normalise(Exec& exec, bool precise) {
  const auto add = [](double a, double b) { return a + b; };
  const auto leave = [](const auto& b, int k, int warp, double sum) {
    b.template left_by<double>(k, warp) = sum;
  };
  exec.reduce_rows(
      0.0,
      [&](const auto& b, int k, int thread) {
        return sum_part(b, k, thread, precise);
      },
      add, leave);
  exec.for_rows(
      [](const auto& b, int k) { b.control->part[k] = add_warps(b, k); });
  if (!precise) {
    exec.reduce_rows(
        0.0,
        [](const auto& b, int k, int thread) {
          return correct_part(b, k, thread);
        },
        add, leave);
  }
  exec.post(exec.rows(), [&](const auto& b, char* board, int k) {
    post_sum(b, board, k, precise);
  });
  exec.reduce_by_warp(
      exec.rows(),
      [](const auto& b, int k, int lane) { return top_from(b, k, lane); },
      [](const Top& a, const Top& b) { return higher(a, b); },
      [](const auto& b, int k, const Top& top) { set_top(b, k, top); });
  exec.reduce_by_warp(
      exec.rows(),
      [](const auto& b, int k, int lane) { return z_from(b, k, lane); }, add,
      [](const auto& b, int k, double z) { set_z(b, k, z); });
  exec.single([](const auto& b) { join_blend(*b.control, b.logits.kSpacing); });
}

// ---- Octets in float64 ---------------------------------------------------
// Evaluates the listed octets, `visit(from, count)` for each round of them, and
// empties the list.
template <class Exec, class Visit>
SKYNET_CODE void visit_listed(Exec& exec, const Visit& visit) {
  const int listed = exec.read([](const auto& b) { return b.control->listed; });
  if (listed == 0) return;
  SKYNET_ROLLED
  for (int from = 0; from < listed; from += kRoundOctets) {
    const int count = min_int(kRoundOctets, listed - from);
    exec.phase([&](const auto& b, int thread) {
      SKYNET_ROLLED
      for (int i = thread; i < b.rows() * kRound; i += kThreads) {
        const int j = i % kRound;
        if (j < count * kOctet) evaluate(b, from, i / kRound, j);
      }
    });
    visit(from, count);
  }
  exec.single([](const auto& b) { b.control->listed = 0; });
}

// Lists a block's octets by `list(block, first, thread)`, as many at a time as
// it has threads, and visits them.
template <class Exec, class List, class Visit>
SKYNET_CODE void visit_octets(Exec& exec, int first, const List& list,
                              const Visit& visit) {
  const int octets = exec.read([](const auto& b) { return b.octets; });
  SKYNET_ROLLED
  for (; first < octets; first += kThreads) {
    exec.phase([&](const auto& b, int thread) { list(b, first, thread); });
    visit_listed(exec, visit);
  }
}

// ---- Step 2: the ranking -------------------------------------------------
// Enters the best tokens of a round in the rankings: N, then each B_-i.
template <class Exec>
SKYNET_CODE void rank_round(Exec& exec, int from, int count, int rankings) {
  exec.reduce_by_warp(
      rankings,
      [&](const auto& b, int k, int lane) {
        return contend(b, from, count, k == 0 ? -1 : k, lane);
      },
      [](const Contender& a, const Contender& b) { return join(a, b); },
      [](const auto& b, int k, const Contender& found) {
        if (k == 0) enter_head(b, found);
        if (k > 0 && pays(*b.control, k)) enter_peak(b, k, found);
      });
}

// The best token, the second best value and, with `peaks`, every B_-i's best.
template <class Exec>
SKYNET_CODE void rank_tokens(Exec& exec, bool peaks) {
  exec.for_rows([](const auto& b, int k) { set_lead(b, k); });
  exec.for_rows([](const auto& b, int k) { set_bar(*b.control, k); });
  exec.each_block([&](auto& own) {
    own.reduce([&](const auto& b,
                   int thread) { return find_promising(b, thread, peaks); },
               [](const Top& a, const Top& b) { return higher(a, b); },
               [](const auto& b, int warp, const Top& top) {
                 b.control->promising[warp] = top.octet;
               });
    visit_octets(
        own, -kThreads,
        [&](const auto& b, int first, int thread) {
          if (first >= 0) list_if_open(b, first + thread, peaks);
          if (first < 0 && thread == 0) list_promising(b);
        },
        [&](int from, int count) {
          rank_round(own, from, count, peaks ? own.rows() : 1);
        });
  });
}

template <class Exec>
SKYNET_CODE void draw_token(Exec& exec) {
  exec.single([](const auto& b) { start_draw(*b.control); });
  SKYNET_ROLLED
  for (int d = 0; d < kDraws; ++d) {
    exec.reduce(
        [&](const auto& b, int thread) { return sum_for_warp(b, d, thread); },
        [](double a, double b) { return a + b; },
        [&](const auto& b, int warp, double sum) {
          b.control->draw[d].warp[warp] = sum;
        });
  }
  exec.post(kDraws,
            [](const auto& b, char* board, int d) { post_draw(b, board, d); });
  // One draw a warp: neither waits for the other.
  exec.phase([](const auto& b, int thread) {
    if (thread % 32 == 0 && thread / 32 < kDraws) find_warp(b, thread / 32);
  });
  exec.phase([](const auto& b, int thread) { sum_strips(b, thread); });
  exec.phase([](const auto& b, int thread) {
    if (thread % 32 == 0 && thread / 32 < kDraws) find_in_strip(b, thread / 32);
  });
  exec.for_rows([](const auto& b, int k) { find_drawn_column(b, k); });
}

// The token, what it is measured against, and what the reference row says.
template <class Exec>
SKYNET_CODE void find_token(Exec& exec, bool sample) {
  if (sample) draw_token(exec);
  rank_tokens(exec, !sample);
  exec.single([&](const auto& b) {
    b.control->ref_token =
        sample ? b.control->draw[1].token : find_ref_token(b);
  });
  exec.post(exec.rows(), [&](const auto& b, char* board, int k) {
    post_head(b, board, k);
    if (sample) post_drawn(b, board, k);
  });
  exec.reduce_by_warp(
      exec.rows(),
      [](const auto& b, int k, int lane) { return head_from(b, k, lane); },
      [](const Contender& a, const Contender& b) { return join(a, b); },
      [](const auto& b, int k, const Contender& best) {
        set_head(b, k, best);
      });
  exec.for_rows([&](const auto& b, int k) {
    set_column(b, k);
    if (sample) join_drawn(b, k);
  });
}

// ---- Step 3: prices ------------------------------------------------------
template <class Exec>
SKYNET_CODE void settle_tie(Exec& exec) {
  exec.single([](const auto& b) { b.control->tied = INT32_MAX; });
  exec.each_block([](auto& own) {
    visit_octets(
        own, 0,
        [](const auto& b, int first, int thread) {
          list_if_tied(b, first + thread);
        },
        [&](int from, int count) {
          own.reduce_by_warp(
              1,
              [&](const auto& b, int, int lane) {
                return find_tied(b, from, count, lane);
              },
              [](const Place& a, const Place& b) { return lower(a, b); },
              [](const auto& b, int, const Place& found) {
                enter_tied(b, found);
              });
        });
  });
  exec.post(exec.rows(),
            [](const auto& b, char* board, int k) { post_tied(b, board, k); });
  exec.for_rows([](const auto& b, int k) { join_tied(b, k); });
  exec.single([](const auto& b) { settle(*b.control); });
}

template <class Exec>
SKYNET_CODE void find_bids(Exec& exec) {
  exec.each_block([](auto& own) {
    visit_octets(
        own, 0,
        [](const auto& b, int first, int thread) {
          list_if_raising(b, first + thread);
        },
        [&](int, int count) {
          own.reduce_by_warp(
              own.rows(),
              [&](const auto& b, int k, int lane) {
                return raise_bid(b, count, k, lane);
              },
              [](const Bid& a, const Bid& b) { return higher(a, b); },
              [](const auto& b, int k, const Bid& found) {
                b.control->bid[k] = higher(b.control->bid[k], found);
              });
        });
  });
  exec.post(exec.rows(), [](const auto& b, char* board, int k) {
    cell<Bid>(board, b.at().bids, b.rows(), b.rank, k) = b.control->bid[k];
  });
  exec.reduce_by_warp(
      exec.rows(),
      [](const auto& b, int k, int lane) { return bid_from(b, k, lane); },
      [](const Bid& a, const Bid& b) { return higher(a, b); },
      [](const auto& b, int k, const Bid& most) { set_bid(b, k, most); });
  exec.single([](const auto& b) { judge_bids(*b.control); });
}

// Winner and prices with the normalisers at hand. False: they leave something
// in doubt.
template <class Exec>
SKYNET_CODE bool clear(Exec& exec, bool precise) {
  const auto outcome = [](const auto& b) { return b.control->outcome; };
  const Mode mode = exec.read([](const auto& b) { return b.job().mode; });
  find_token(exec, mode == Mode::kSample);
  Outcome now;
  SKYNET_ROLLED
  for (bool settled = false;; settled = true) {
    exec.for_rows([](const auto& b, int k) { price_row(*b.control, k); });
    exec.single([](const auto& b) { judge(*b.control); });
    now = exec.read(outcome);
    if (now.unsure != 0 && !precise) return false;
    if (now.near_tie == 0 || settled) break;
    settle_tie(exec);
  }
  if (now.any_bid == 0) return true;
  find_bids(exec);
  return exec.read(outcome).unsure == 0;
}

// ---- Audit outputs -------------------------------------------------------
template <class Exec>
SKYNET_CODE void find_top(Exec& exec) {
  exec.phase([](const auto& b, int thread) { fill_crests(b, thread); });
  SKYNET_ROLLED
  for (int place = 0; place < kTop; ++place) {
    exec.reduce_rows(
        Top{-INFINITY, INT32_MAX},
        [](const auto& b, int k, int thread) {
          return find_pick(b, k, thread);
        },
        [](const Top& a, const Top& b) { return higher(a, b); },
        [](const auto& b, int k, int warp, const Top& top) {
          b.template left_by<Top>(k, warp) = top;
        });
    exec.for_rows([&](const auto& b, int k) { pick(b, k, place); });
  }
  exec.meet();
  exec.phase([](const auto& b, int thread) { merge_picks(b, thread); });
  exec.meet();
  exec.phase([](const auto& b, int thread) { gather(b, thread); });
  exec.meet();
}

// After read_rows.
template <class Exec>
SKYNET_CODE void run_auction(Exec& exec) {
  bool precise = false;
  SKYNET_ROLLED
  for (bool again = true; again;) {
    normalise(exec, precise);
    const Status status =
        exec.read([](const auto& b) { return b.control->blend.status; });
    again = status == Status::kOk && !clear(exec, precise) && !precise;
    precise |= again;
  }
  const bool top = exec.read([](const auto& b) {
    return b.control->blend.status == Status::kOk && b.job().want_top != 0;
  });
  if (top) find_top(exec);
  exec.report(precise);
}

}  // namespace skynet

#endif  // SKYNET_CUDA_AUCTION_H_
