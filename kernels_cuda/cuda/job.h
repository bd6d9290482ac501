// SPDX-License-Identifier: Apache-2.0
//
// What the host hands to a kernel and what comes back. A batch is one launch:
// its jobs travel as kernel parameters when they are few, else through device
// memory; every reply's record lies in mapped host memory.
#ifndef SKYNET_CUDA_JOB_H_
#define SKYNET_CUDA_JOB_H_

#include "layout.h"

namespace skynet {

constexpr int kInlineJobs = 8;  // 1.7 KB of the 4 KB every driver takes

// One reply, checked: sizes, type and temperature are within the contract.
struct Job {
  const void* logits;  // device memory
  int64_t row_stride;
  Draw draw;
  double to_exp2;  // log2(e) / T
  int32_t rows;
  int32_t vocab;
  float temperature;
  Mode mode;
  int32_t want_top;
  uint32_t sequence;  // of the batch: what the record's flag becomes
  int32_t slot;       // the record's index
  float weights[kMaxRows];
};

// `sequence` is written last, after a system-wide fence: the host polls it.
struct alignas(64) Record {
  ReplyResult reply;
  RowResult rows[kMaxRows];
  Status status;
  uint32_t sequence;
};

// A row's token in the race for its best kTop.
struct Candidate {
  float logit;
  int32_t id;
};

// Where one reply's TopResult is made and left.
struct TopMemory {
  Candidate* candidates;  // device memory, [kMaxTeam][rows][kTop]
  int32_t* ids;           // device memory, [rows][kTop]
  int32_t* id;            // mapped, [rows][kTop]
  float* logit;           // mapped, [rows][rows * kTop]
  int32_t rows;

  SKYNET_BOTH Candidate* candidate(int rank, int k) const {
    return candidates + (rank * rows + k) * kTop;
  }
  SKYNET_BOTH int32_t* best(int k) const { return ids + k * kTop; }
};

struct Batch {
  const Job* jobs;  // device memory; null: inline_jobs
  Record* records;
  TopMemory top;         // of slot 0; the others follow at these sizes
  int32_t count;         // replies
  int32_t blocks;        // blocks that share one reply
  char* scratch;         // [blocks' team or reply][scratch_bytes]
  size_t scratch_bytes;  // of one team
  Scratch team;
  Job inline_jobs[kInlineJobs];
};

SKYNET_BOTH TopMemory top_memory(const Batch& batch, int slot) {
  TopMemory top = batch.top;
  const int64_t cells = static_cast<int64_t>(slot) * top.rows * kTop;
  top.candidates += cells * kMaxTeam;
  top.ids += cells;
  top.id += cells;
  top.logit += cells * top.rows;
  return top;
}

}  // namespace skynet

#endif  // SKYNET_CUDA_JOB_H_
