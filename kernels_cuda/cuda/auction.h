// SPDX-License-Identifier: Apache-2.0
//
// One reply's auction from end to end, as the blocks that share it run it. An
// Exec supplies the threads:
//   phase(f)           f(block, thread) for every thread, then a block barrier
//   reduce(n, f, join, leave)          item by item: f(block, item, thread),
//                      joined within each warp, leave(block, item, warp, value)
//   reduce_by_warp(n, f, join, leave)  one warp an item: f(block, item, lane),
//                      leave(block, item, value)
//   post(n, f)         f(block, board, item) for every copy of the board, then
//                      a barrier of all blocks
//   each_block(f)      f(exec of one block): control flow of its own
//   read(f)            f(block): a value that steers control flow; the same in
//                      every block unless within each_block
#ifndef SKYNET_CUDA_AUCTION_H_
#define SKYNET_CUDA_AUCTION_H_

#include "report.h"

namespace skynet {

// Evaluates the listed octets, `visit(from, count)` for each round of them, and
// empties the list.
template <class Exec, class Visit>
SKYNET_CODE void visit_listed(Exec& exec, const Visit& visit) {
  const int listed = exec.read([](const auto& b) { return b.control->listed; });
  if (listed == 0) return;
  for (int from = 0; from < listed; from += kRoundOctets) {
    const int count = min_int(kRoundOctets, listed - from);
    exec.phase([&](const auto& b, int thread) {
      for (int i = thread; i < b.rows() * kRound; i += kThreads) {
        const int j = i % kRound;
        if (j < count * kOctet) evaluate(b, from, i / kRound, j);
      }
    });
    visit(from, count);
  }
  exec.phase([](const auto& b, int thread) {
    if (thread == 0) b.control->listed = 0;
  });
}

// Lists a block's octets by `list(block, octet)`, as many at a time as it has
// threads, and visits them.
template <class Exec, class List, class Visit>
SKYNET_CODE void visit_octets(Exec& exec, const List& list,
                              const Visit& visit) {
  const int octets = exec.read([](const auto& b) { return b.octets; });
  for (int first = 0; first < octets; first += kThreads) {
    exec.phase([&](const auto& b, int thread) { list(b, first + thread); });
    visit_listed(exec, visit);
  }
}

template <class Exec>
SKYNET_CODE void read_rows(Exec& exec) {
  exec.phase([](const auto& b, int thread) {
    for (int k = 0; k < b.rows(); ++k) {
      if (good_weight(b.job().weights[k])) b.logits.load(k, thread);
    }
    finish_copies();
  });
  exec.reduce(
      exec.rows(),
      [](const auto& b, int k, int thread) { return scan_part(b, k, thread); },
      [](const Top& a, const Top& b) { return higher(a, b); },
      [](const auto& b, int k, int warp, const Top& top) {
        b.template left_by<Top>(k, warp) = top;
      });
  exec.phase([](const auto& b, int thread) {
    if (thread < b.rows()) set_scale(b, thread);
  });
}

template <class Exec>
SKYNET_CODE void normalise(Exec& exec, bool precise) {
  const auto add = [](double a, double b) { return a + b; };
  const auto leave = [](const auto& b, int k, int warp, double sum) {
    b.template left_by<double>(k, warp) = sum;
  };
  exec.reduce(
      exec.rows(),
      [&](const auto& b, int k, int thread) {
        return sum_part(b, k, thread, precise);
      },
      add, leave);
  exec.phase([](const auto& b, int thread) {
    if (thread < b.rows()) b.control->part[thread] = add_warps(b, thread);
  });
  if (!precise) {
    exec.reduce(
        exec.rows(),
        [](const auto& b, int k, int thread) {
          return correct_part(b, k, thread);
        },
        add, leave);
  }
  exec.post(exec.rows(), [&](const auto& b, char* board, int k) {
    post_sum(b, board, k, precise);
  });
  exec.phase([](const auto& b, int thread) {
    if (thread < b.rows()) join_row(b, thread);
  });
  exec.phase([](const auto& b, int thread) {
    if (thread == 0) join_blend(b);
  });
}

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
        if (k > 0 && b.pays(k)) enter_peak(b, k, found);
      });
}

// The best token, the second best value and every peak. In sampling mode nobody
// needs the peaks.
template <class Exec>
SKYNET_CODE void rank_tokens(Exec& exec, bool peaks) {
  exec.phase([](const auto& b, int thread) {
    if (thread < b.rows()) set_bounds(b, thread);
  });
  exec.phase([](const auto& b, int thread) {
    if (thread == 0) set_blend_bar(b);
    if (thread == 32) b.control->ref_token = find_ref_token(b);
  });
  exec.each_block([&](auto& own) {
    const int rankings = peaks ? own.rows() : 1;
    const auto rank = [&](int from, int count) {
      rank_round(own, from, count, rankings);
    };
    own.reduce(
        1,
        [&](const auto& b, int, int thread) {
          return find_promising(b, thread, peaks);
        },
        [](const Top& a, const Top& b) { return higher(a, b); },
        [](const auto& b, int, int warp, const Top& top) {
          b.template left_by<Top>(0, warp) = top;
        });
    own.phase([](const auto& b, int thread) {
      if (thread == 0) list_promising(b);
    });
    visit_listed(own, rank);
    visit_octets(
        own, [&](const auto& b, int octet) { list_if_open(b, octet, peaks); },
        rank);
  });
  exec.post(exec.rows(),
            [](const auto& b, char* board, int k) { post_head(b, board, k); });
  exec.phase([](const auto& b, int thread) {
    if (thread < b.rows()) join_head(b, thread);
  });
}

template <class Exec>
SKYNET_CODE void price_rows(Exec& exec) {
  exec.phase([](const auto& b, int thread) {
    if (thread < b.rows()) price_row(b, thread);
  });
  exec.phase([](const auto& b, int thread) {
    if (thread == 0) judge(b);
  });
}

template <class Exec>
SKYNET_CODE void settle_tie(Exec& exec) {
  exec.phase([](const auto& b, int thread) {
    if (thread == 0) b.control->tied = INT32_MAX;
  });
  exec.each_block([](auto& own) {
    visit_octets(
        own, [](const auto& b, int octet) { list_if_tied(b, octet); },
        [&](int from, int count) {
          own.reduce_by_warp(
              1,
              [&](const auto& b, int, int lane) {
                return find_tied(b, from, count, lane);
              },
              [](const Contender& a, const Contender& b) {
                return a.token < b.token ? a : b;
              },
              [](const auto& b, int, const Contender& found) {
                enter_tied(b, found);
              });
        });
  });
  exec.post(exec.rows(),
            [](const auto& b, char* board, int k) { post_tied(b, board, k); });
  exec.phase([](const auto& b, int thread) {
    if (thread < b.rows()) join_tied(b, thread);
  });
  exec.phase([](const auto& b, int thread) {
    if (thread == 0) settle(b);
  });
  price_rows(exec);
}

template <class Exec>
SKYNET_CODE void find_bids(Exec& exec) {
  exec.each_block([](auto& own) {
    visit_octets(
        own, [](const auto& b, int octet) { list_if_raising(b, octet); },
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
  exec.phase([](const auto& b, int thread) {
    if (thread < b.rows()) join_bid(b, thread);
  });
  exec.phase([](const auto& b, int thread) {
    if (thread == 0) judge(b);
  });
}

// Winner and prices with the normalisers at hand. False: they leave something
// in doubt.
template <class Exec>
SKYNET_CODE bool clear(Exec& exec, bool precise) {
  const auto outcome = [](const auto& b) { return b.control->outcome; };
  rank_tokens(exec, true);
  price_rows(exec);
  Outcome now = exec.read(outcome);
  if (now.unsure != 0 && !precise) return false;
  if (now.near_tie != 0) {
    settle_tie(exec);
    now = exec.read(outcome);
  }
  if (now.any_pay != 0) {
    find_bids(exec);
    now = exec.read(outcome);
  }
  return now.unsure == 0;
}

template <class Exec>
SKYNET_CODE void run_auction(Exec& exec) {
  read_rows(exec);
  bool precise = false;
  for (bool again = true; again;) {
    normalise(exec, precise);
    const Status status =
        exec.read([](const auto& b) { return b.control->blend.status; });
    again = status == Status::kOk && !clear(exec, precise) && !precise;
    precise |= again;
  }
  exec.report(precise);
}

}  // namespace skynet

#endif  // SKYNET_CUDA_AUCTION_H_
