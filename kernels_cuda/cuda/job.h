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

struct Batch {
  const Job* jobs;  // device memory; null: inline_jobs
  Record* records;
  int32_t* top_id;       // mapped, [slot][rows][kTop]
  float* top_logit;      // mapped, [slot][rows][rows * kTop]
  int32_t top_rows;      // rows one slot has room for
  int32_t count;         // replies
  int32_t blocks;        // blocks that share one reply
  char* scratch;         // [blocks' team or reply][scratch_bytes]
  size_t scratch_bytes;  // of one team
  Scratch team;
  Job inline_jobs[kInlineJobs];
};

}  // namespace skynet

#endif  // SKYNET_CUDA_JOB_H_
