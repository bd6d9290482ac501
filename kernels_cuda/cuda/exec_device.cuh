// SPDX-License-Identifier: Apache-2.0
//
// The threads of an auction on a GPU. The blocks of a reply are a cluster,
// which writes to one another's shared memory, or a team, which meets in device
// memory. See auction.h for what each call means.
#ifndef SKYNET_CUDA_EXEC_DEVICE_CUH_
#define SKYNET_CUDA_EXEC_DEVICE_CUH_

#include "auction.h"

namespace skynet {

template <class T>
__device__ __forceinline__ T shuffle(const T& value, int distance) {
  static_assert(sizeof(T) % 4 == 0, "shuffled word by word");
  constexpr int kWords = sizeof(T) / 4;
  union {
    T value;
    uint32_t word[kWords];
  } copy = {value};
#pragma unroll
  for (int i = 0; i < kWords; ++i) {
    copy.word[i] = __shfl_xor_sync(0xffffffff, copy.word[i], distance);
  }
  return copy.value;
}

// Large values take a rolled loop: they are joined rarely and their code is
// long.
template <class T, class Join>
__device__ __forceinline__ T join_warp(T value, const Join& join) {
  constexpr int kUnroll = sizeof(T) > 8 ? 1 : 5;
#pragma unroll kUnroll
  for (int distance = 16; distance > 0; distance /= 2) {
    value = join(value, shuffle(value, distance));
  }
  return value;
}

// Blocks of a cluster: each has a board of its own, the others write into it.
struct Cluster {
  static __device__ int rank() {
    int rank;
    asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
    return rank;
  }
  static __device__ int group() {
    int group;
    asm("mov.u32 %0, %%clusterid.x;" : "=r"(group));
    return group;
  }
  static __device__ int copies(int blocks) { return blocks; }
  static __device__ char* board(char* own, int rank) {
    char* theirs;
    asm("mapa.u64 %0, %1, %2;" : "=l"(theirs) : "l"(own), "r"(rank));
    return theirs;
  }
  __device__ void arrive() const {
    asm volatile("barrier.cluster.arrive;" ::: "memory");
  }
  __device__ void wait() const {
    asm volatile("barrier.cluster.wait;" ::: "memory");
  }
  __device__ void meet(int) const {
    arrive();
    wait();
  }
};

// Blocks of a team share one board in device memory. All blocks of the launch
// run at once, which a cooperative launch guarantees.
struct Team {
  unsigned* barrier;

  static __device__ int copies(int) { return 1; }
  static __device__ char* board(char* own, int) { return own; }

  // The first block adds what flips the top bit once all others have added 1:
  // the counter is never reset.
  __device__ void meet(int blocks) const {
    __syncthreads();
    if (threadIdx.x == 0 && blocks > 1) {
      const unsigned others = static_cast<unsigned>(blocks) - 1;
      const bool first = blockIdx.x % static_cast<unsigned>(blocks) == 0;
      const unsigned step = first ? 0x80000000u - others : 1u;
      __threadfence();
      const unsigned before = atomicAdd(barrier, step);
      const volatile unsigned* now = barrier;
      while (((before ^ *now) & 0x80000000u) == 0) {
      }
      __threadfence();
    }
    __syncthreads();
  }
};

template <class Block, class Group>
class DeviceExec {
 public:
  __device__ DeviceExec(const Block& block, const Group& group, Record* record)
      : block_(block), group_(group), record_(record) {}

  __device__ __forceinline__ int rows() const { return block_.rows(); }

  template <class F>
  __device__ __forceinline__ void phase(const F& f) {
    f(block_, thread());
    __syncthreads();
  }

  template <class F>
  __device__ __forceinline__ void for_rows(const F& f) {
    if (thread() < rows()) f(block_, thread());
    __syncthreads();
  }

  template <class F>
  __device__ __forceinline__ void single(const F& f) {
    if (thread() == 0) f(block_);
    __syncthreads();
  }

  template <class F, class Join, class Leave>
  __device__ __forceinline__ void reduce(const F& f, const Join& join,
                                         const Leave& leave) {
    const auto value = join_warp(f(block_, thread()), join);
    if (lane() == 0) leave(block_, warp(), value);
    __syncthreads();
  }

  template <class T, class F, class Join, class Leave>
  __device__ __forceinline__ void reduce_rows(const T& none, const F& f,
                                              const Join& join,
                                              const Leave& leave) {
#pragma unroll 1
    for (int k = 0; k < rows(); ++k) {
      T value = none;
      if (!runs_of(block_, k, warp()).empty()) {
        value = join_warp(f(block_, k, thread()), join);
      }
      if (lane() == 0) leave(block_, k, warp(), value);
    }
    __syncthreads();
  }

  template <class F, class Join, class Leave>
  __device__ __forceinline__ void reduce_by_warp(int items, const F& f,
                                                 const Join& join,
                                                 const Leave& leave) {
    for (int item = warp(); item < items; item += kWarps) {
      const auto value = join_warp(f(block_, item, lane()), join);
      if (lane() == 0) leave(block_, item, value);
    }
    __syncthreads();
  }

  template <class F>
  __device__ __forceinline__ void post(int items, const F& f) {
    const int all = items * Group::copies(block_.blocks);
    for (int i = thread(); i < all; i += kThreads) {
      f(block_, Group::board(block_.board, i / items), i % items);
    }
    group_.meet(block_.blocks);
  }

  // What blocks left in device or host memory is theirs to see afterwards.
  __device__ __forceinline__ void meet() {
    __threadfence_system();
    group_.meet(block_.blocks);
  }

  template <class F>
  __device__ __forceinline__ void each_block(const F& f) {
    f(*this);
  }

  template <class F>
  __device__ __forceinline__ auto read(const F& f) {
    const auto value = f(block_);
    __syncthreads();
    return value;
  }

  // The flag follows the record at system scope: the host may poll it.
  __device__ __forceinline__ void report(bool precise) {
    if (block_.rank == 0 && thread() < rows()) {
      write_record(*block_.control, *record_, thread(), precise);
    }
    __syncthreads();
    if (block_.rank != 0 || thread() != 0) return;
    __threadfence_system();
    *const_cast<volatile uint32_t*>(&record_->sequence) = block_.job().sequence;
  }

 private:
  static __device__ __forceinline__ int thread() {
    return static_cast<int>(threadIdx.x);
  }
  static __device__ __forceinline__ int lane() { return thread() % 32; }
  static __device__ __forceinline__ int warp() { return thread() / 32; }

  Block block_;
  Group group_;
  Record* record_;
};

}  // namespace skynet

#endif  // SKYNET_CUDA_EXEC_DEVICE_CUH_
