// SPDX-License-Identifier: Apache-2.0
//
// How a block reads the logits of its part of the vocabulary: from device
// memory, or from the copy it made in shared memory. Past V both say -inf, and
// neither reads a byte outside a row's V logits.
#ifndef SKYNET_CUDA_LOGITS_VIEW_H_
#define SKYNET_CUDA_LOGITS_VIEW_H_

#include "job.h"
#include "logit.h"

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
class DeviceLogits {
 public:
  using Type = Logit;
  using Stored = typename Logit::Stored;
  static constexpr bool kResident = false;
  static constexpr double kSpacing = Logit::kSpacing;

  // The block's tokens: ids from `first` on.
  SKYNET_CODE void source(const Job* job, int first, int tokens) {
    job_ = job;
    first_ = first;
    tokens_ = tokens;
  }
  SKYNET_CODE int tokens() const { return tokens_; }

  SKYNET_CODE const Stored* row(int k) const {
    return static_cast<const Stored*>(job_->logits) + k * job_->row_stride +
           first_;
  }
  SKYNET_CODE void load(int, int) const {}
  // Any token of the reply, also of another block's part.
  SKYNET_CODE float anywhere(int k, int id) const {
    return Logit::widen(row(k)[id - first_]);
  }
  SKYNET_CODE float at(int k, int token) const {
    return token < tokens_ ? Logit::widen(row(k)[token]) : -INFINITY;
  }
  SKYNET_CODE Octet octet(int k, int octet) const {
    const Stored* z = row(k) + octet * kOctet;
    const bool whole = octet * kOctet + kOctet <= tokens_;
    if (whole && reinterpret_cast<uintptr_t>(z) % sizeof(Chunk) == 0) {
      return widen<Logit>(reinterpret_cast<const Chunk*>(z));
    }
    Octet out;
    SKYNET_UNROLL
    for (int i = 0; i < kOctet; ++i) out.z[i] = at(k, octet * kOctet + i);
    return out;
  }

 private:
  const Job* job_;
  int first_;
  int tokens_;
};

template <class Logit>
class SharedLogits {
 public:
  using Type = Logit;
  using Stored = typename Logit::Stored;
  static constexpr bool kResident = true;
  static constexpr double kSpacing = Logit::kSpacing;

  SKYNET_CODE void source(const Job* job, int first, int tokens) {
    source_.source(job, first, tokens);
  }
  // Row k is kept from byte k * row_bytes on, a multiple of 16.
  SKYNET_CODE void copy(char* shared, uint32_t row_bytes) {
    shared_ = shared;
    row_bytes_ = row_bytes;
  }

  // A row is copied so that source and copy agree in their address modulo 16:
  // its first logit lies this many bytes into the copy.
  SKYNET_CODE unsigned shift(int k) const {
    return static_cast<unsigned>(reinterpret_cast<uintptr_t>(source_.row(k)) %
                                 sizeof(Chunk));
  }

  SKYNET_CODE void load(int k, int thread) const {
    const int shift_by = static_cast<int>(shift(k));
    const int size = static_cast<int>(sizeof(Stored));
    const int end = shift_by + source_.tokens() * size;
    const char* from = reinterpret_cast<const char*>(source_.row(k)) - shift_by;
    char* to = shared_ + static_cast<uint32_t>(k) * row_bytes_;
    const int bytes = static_cast<int>(row_bytes_);
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

  SKYNET_CODE float anywhere(int k, int id) const {
    return source_.anywhere(k, id);
  }

  SKYNET_CODE float at(int k, int token) const {
    const char* row =
        shared_ + static_cast<uint32_t>(k) * row_bytes_ + shift(k);
    return Logit::widen(reinterpret_cast<const Stored*>(row)[token]);
  }

  SKYNET_CODE Octet octet(int k, int octet) const {
    const Chunk* chunk = reinterpret_cast<const Chunk*>(
        shared_ + static_cast<uint32_t>(k) * row_bytes_);
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

 private:
  DeviceLogits<Logit> source_;
  char* shared_;
  uint32_t row_bytes_;
};

}  // namespace skynet

#endif  // SKYNET_CUDA_LOGITS_VIEW_H_
