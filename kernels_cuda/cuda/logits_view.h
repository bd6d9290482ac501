// SPDX-License-Identifier: Apache-2.0
//
// How a block reads the logits of its part of the vocabulary: from device
// memory, or from the copy it made in shared memory. Past V both say -inf, and
// neither reads a byte outside a row's V logits.
#ifndef SKYNET_CUDA_LOGITS_VIEW_H_
#define SKYNET_CUDA_LOGITS_VIEW_H_

#include "layout.h"

namespace skynet {

#ifdef __CUDA_ARCH__
SKYNET_CODE void copy_chunk(char* shared, const char* device) {
  const unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to),
               "l"(device)
               : "memory");
}
SKYNET_CODE void finish_copies() {
  asm volatile("cp.async.wait_all;" ::: "memory");
}
#else
SKYNET_CODE void copy_chunk(char* shared, const char* device) {
  memcpy(shared, device, sizeof(Chunk));
}
SKYNET_CODE void finish_copies() {}
#endif

template <class Logit>
struct DeviceLogits {
  using Type = Logit;
  using Source = DeviceLogits;
  using Stored = typename Logit::Stored;
  static constexpr bool kResident = false;
  const Job* job;
  int first;   // token id of the block's first
  int tokens;  // ids from there on that are below V

  SKYNET_CODE const Stored* row(int k) const {
    return static_cast<const Stored*>(job->logits) + k * job->row_stride +
           first;
  }
  SKYNET_CODE void load(int, int) const {}
  SKYNET_CODE float at(int k, int token) const {
    return token < tokens ? Logit::widen(row(k)[token]) : -INFINITY;
  }
  SKYNET_CODE Octet octet(int k, int octet) const {
    const Stored* z = row(k) + octet * kOctet;
    const bool whole = octet * kOctet + kOctet <= tokens;
    if (whole && reinterpret_cast<uintptr_t>(z) % sizeof(Chunk) == 0) {
      return widen<Logit>(reinterpret_cast<const Chunk*>(z));
    }
    Octet out;
    SKYNET_UNROLL
    for (int i = 0; i < kOctet; ++i) out.z[i] = at(k, octet * kOctet + i);
    return out;
  }
};

template <class Logit>
struct SharedLogits {
  using Type = Logit;
  using Source = DeviceLogits<Logit>;
  using Stored = typename Logit::Stored;
  static constexpr bool kResident = true;
  DeviceLogits<Logit> source;
  char* shared;        // row k from byte k * row_bytes on
  uint32_t row_bytes;  // a multiple of 16

  // A row is copied so that source and copy agree in their address modulo 16:
  // its first logit lies this many bytes into the copy.
  SKYNET_CODE unsigned shift(int k) const {
    return static_cast<unsigned>(reinterpret_cast<uintptr_t>(source.row(k)) %
                                 sizeof(Chunk));
  }

  SKYNET_CODE void load(int k, int thread) const {
    const int shift_by = static_cast<int>(shift(k));
    const int size = static_cast<int>(sizeof(Stored));
    const int end = shift_by + source.tokens * size;
    const char* from = reinterpret_cast<const char*>(source.row(k)) - shift_by;
    char* to = shared + static_cast<uint32_t>(k) * row_bytes;
    const int bytes = static_cast<int>(row_bytes);
    for (int at = thread * 16; at < bytes; at += kThreads * 16) {
      if (at >= shift_by && at + 16 <= end) {
        copy_chunk(to + at, from + at);
        continue;
      }
      for (int i = at; i < at + 16; i += size) {
        const bool inside = i >= shift_by && i < end;
        *reinterpret_cast<Stored*>(to + i) =
            inside ? *reinterpret_cast<const Stored*>(from + i)
                   : Logit::kMinusInfinity;
      }
    }
  }

  SKYNET_CODE float at(int k, int token) const {
    const char* row = shared + static_cast<uint32_t>(k) * row_bytes + shift(k);
    return Logit::widen(reinterpret_cast<const Stored*>(row)[token]);
  }

  SKYNET_CODE Octet octet(int k, int octet) const {
    const Chunk* chunk = reinterpret_cast<const Chunk*>(
        shared + static_cast<uint32_t>(k) * row_bytes);
    chunk += octet * kChunks<Logit>;
    const unsigned shift_by = shift(k);
    if (shift_by == 0) return widen<Logit>(chunk);
    Chunk moved[kChunks<Logit>];
    SKYNET_UNROLL
    for (int i = 0; i < kChunks<Logit>; ++i) {
      moved[i] = realign(chunk[i], chunk[i + 1], shift_by);
    }
    return widen<Logit>(moved);
  }
};

}  // namespace skynet

#endif  // SKYNET_CUDA_LOGITS_VIEW_H_
