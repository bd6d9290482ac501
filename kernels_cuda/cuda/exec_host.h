// SPDX-License-Identifier: Apache-2.0
//
// The threads of an auction on a CPU: every phase runs all threads of all
// blocks, one after the other, in an order the caller picks. A step that
// depends on another thread of its own phase therefore gives other bits in
// another order, which is how the tests find races.
#ifndef SKYNET_CUDA_EXEC_HOST_H_
#define SKYNET_CUDA_EXEC_HOST_H_

#include <stdlib.h>

#include "auction.h"

namespace skynet {

enum class Order { kForward, kBackward };

template <class Block>
class HostExec {
 public:
  HostExec(Block* blocks, int count, Order order, Record* record)
      : blocks_(blocks), count_(count), order_(order), record_(record) {}

  int rows() const { return blocks_[0].rows(); }

  template <class F>
  void phase(const F& f) {
    each_thread([&](const Block& b, int thread) { f(b, thread); });
  }

  template <class F>
  void for_rows(const F& f) {
    each([&](int block) {
      each_of(rows(), [&](int k) { f(blocks_[block], k); });
    });
  }

  template <class F>
  void single(const F& f) {
    each([&](int block) { f(blocks_[block]); });
  }

  template <class F, class Join, class Leave>
  void reduce(const F& f, const Join& join, const Leave& leave) {
    each([&](int block) {
      const Block& b = blocks_[block];
      each_of(kWarps, [&](int warp) {
        leave(b, warp, join_warp(join, [&](int lane) {
                return f(b, warp * 32 + lane);
              }));
      });
    });
  }

  template <class T, class F, class Join, class Leave>
  void reduce_rows(const T& none, const F& f, const Join& join,
                   const Leave& leave) {
    each([&](int block) {
      const Block& b = blocks_[block];
      each_of(rows() * kWarps, [&](int i) {
        const int k = i / kWarps, warp = i % kWarps;
        if (runs_of(b, k, warp).empty()) {
          leave(b, k, warp, none);
        } else {
          leave(b, k, warp, join_warp(join, [&](int lane) {
                  return f(b, k, warp * 32 + lane);
                }));
        }
      });
    });
  }

  template <class F, class Join, class Leave>
  void reduce_by_warp(int items, const F& f, const Join& join,
                      const Leave& leave) {
    each([&](int block) {
      const Block& b = blocks_[block];
      each_of(items, [&](int item) {
        leave(b, item,
              join_warp(join, [&](int lane) { return f(b, item, lane); }));
      });
    });
  }

  template <class F>
  void post(int items, const F& f) {
    each([&](int block) {
      const Block& b = blocks_[block];
      for (int copy = 0; copy < count_; ++copy) {
        if (copy > 0 && blocks_[copy].board == blocks_[0].board) break;
        each_of(items, [&](int item) { f(b, blocks_[copy].board, item); });
      }
    });
  }

  void meet() {}

  template <class F>
  void each_block(const F& f) {
    each([&](int block) {
      HostExec one(blocks_ + block, 1, order_, nullptr);
      f(one);
    });
  }

  template <class F>
  auto read(const F& f) {
    const auto value = f(blocks_[0]);
    for (int c = 1; c < count_; ++c) {
      const auto other = f(blocks_[c]);
      if (memcmp(&value, &other, sizeof value) != 0) abort();
    }
    return value;
  }

  void report(bool precise) {
    const Block& first = blocks_[0];
    for (int k = 0; k < rows(); ++k)
      write_record(*first.control, *record_, k, precise);
    __atomic_store_n(&record_->sequence, first.job().sequence,
                     __ATOMIC_RELEASE);
  }

 private:
  template <class F>
  void each_of(int count, const F& f) {
    for (int i = 0; i < count; ++i) {
      f(order_ == Order::kForward ? i : count - 1 - i);
    }
  }
  template <class F>
  void each(const F& f) {
    each_of(count_, f);
  }
  template <class F>
  void each_thread(const F& f) {
    each([&](int block) {
      each_of(kThreads, [&](int thread) { f(blocks_[block], thread); });
    });
  }

  // The butterfly of the GPU's shuffles, bit for bit.
  template <class Join, class F>
  auto join_warp(const Join& join, const F& f) {
    decltype(f(0)) lane[32], next[32];
    each_of(32, [&](int i) { lane[i] = f(i); });
    for (int distance = 16; distance > 0; distance /= 2) {
      for (int i = 0; i < 32; ++i) next[i] = join(lane[i], lane[i ^ distance]);
      memcpy(lane, next, sizeof lane);
    }
    return lane[0];
  }

  Block* blocks_;
  int count_;
  Order order_;
  Record* record_;
};

}  // namespace skynet

#endif  // SKYNET_CUDA_EXEC_HOST_H_
