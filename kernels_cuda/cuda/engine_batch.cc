// SPDX-License-Identifier: Apache-2.0
//
// The engine's way from a caller's replies to launches.

#include <math.h>
#include <string.h>

#include <algorithm>
#include <tuple>

#include "engine.h"

namespace skynet {
namespace {

size_t width(LogitType type) {
  return type == LogitType::kF32 ? 4 : 2;
}

bool aligned(const AuctionInput& in) {
  return reinterpret_cast<uintptr_t>(in.logits) % width(in.type) == 0;
}

// Elements between staged rows: every row starts on 16 bytes.
int64_t staged_stride(const AuctionInput& in) {
  const int64_t unit = static_cast<int64_t>(16 / width(in.type));
  return (in.vocab + unit - 1) / unit * unit;
}

bool wants_top(const DeviceReply& reply) {
  return reply.top.id != nullptr || reply.top.logit != nullptr;
}

}  // namespace

Status Engine::check(const DeviceReply& reply) const {
  const AuctionInput& in = reply.input;
  if (in.logits == nullptr || in.weights == nullptr || reply.reply == nullptr ||
      reply.rows == nullptr) {
    return Status::kNullPointer;
  }
  if (in.rows < 1 || in.rows > options_.rows) return Status::kBadRows;
  if (in.vocab < 1 || in.vocab > options_.vocab || in.row_stride < in.vocab) {
    return Status::kBadVocab;
  }
  const int type = static_cast<int>(in.type);
  if (type < 0 || type > static_cast<int>(LogitType::kBF16)) {
    return Status::kBadType;
  }
  if (reply.staged == 0 && !aligned(in)) return Status::kNullPointer;
  if (!(in.temperature > 0.0f) || isinf(in.temperature)) {
    return Status::kBadTemperature;
  }
  const int mode = static_cast<int>(in.mode);
  if (mode < 0 || mode > static_cast<int>(Mode::kSample)) {
    return Status::kBadMode;
  }
  return Status::kOk;
}

// Copies host logits into pinned memory, and all of that to the device in one
// go. False, and nothing started, where they do not fit.
bool Engine::stage(DeviceReply* replies, int count) {
  size_t used = 0;
  for (int i = 0; i < count; ++i) {
    const AuctionInput& in = replies[i].input;
    if (replies[i].status != static_cast<int32_t>(Status::kOk)) continue;
    logits_[i] = in.logits;
    stride_[i] = in.row_stride;
    if (replies[i].staged == 0) continue;
    const size_t size = width(in.type);
    const size_t row = static_cast<size_t>(staged_stride(in)) * size;
    if (used + row * in.rows > memory_.staged_bytes) return false;
    logits_[i] = memory_.device_staging + used;
    stride_[i] = staged_stride(in);
    for (int k = 0; k < in.rows; ++k, used += row) {
      const char* from = static_cast<const char*>(in.logits);
      memcpy(static_cast<char*>(memory_.staging.host) + used,
             from + static_cast<size_t>(k * in.row_stride) * size,
             static_cast<size_t>(in.vocab) * size);
    }
  }
  staged_used_ = used;
  return true;
}

// Replies that one launch can serve lie side by side.
void Engine::plan_batch(DeviceReply* replies, int count) {
  entries_.clear();
  for (int i = 0; i < count; ++i) {
    if (replies[i].status != static_cast<int32_t>(Status::kOk)) continue;
    const AuctionInput& in = replies[i].input;
    const Plan plan =
        make_plan(runtime_->abilities(), options_.kernel, in, count);
    if (plan.blocks > 0) {
      entries_.push_back({i, in.type, plan});
    } else {
      replies[i].status = static_cast<int32_t>(Status::kNoMemory);
    }
  }
  const auto key = [](const Entry& e) {
    return std::make_tuple(e.type, e.plan.kernel, e.plan.blocks, e.reply);
  };
  std::sort(entries_.begin(), entries_.end(),
            [&](const Entry& a, const Entry& b) { return key(a) < key(b); });
}

void Engine::write_jobs(const DeviceReply* replies) {
  Job* jobs = static_cast<Job*>(memory_.jobs.host);
  for (size_t e = 0; e < entries_.size(); ++e) {
    const int i = entries_[e].reply;
    const DeviceReply& reply = replies[i];
    const AuctionInput& in = reply.input;
    Job& job = jobs[e];
    job = {};
    job.logits = logits_[i];
    job.row_stride = stride_[i];
    job.draw = in.draw;
    job.to_exp2 = 0x1.71547652b82fep+0 / static_cast<double>(in.temperature);
    job.rows = in.rows;
    job.vocab = in.vocab;
    job.temperature = in.temperature;
    job.mode = in.mode;
    job.want_top = wants_top(reply);
    job.sequence = sequence_;
    job.slot = i;
    std::copy_n(in.weights, in.rows, job.weights);
  }
}

bool Engine::launch_run(size_t first, size_t count, bool jobs_copied) {
  const Entry& entry = entries_[first];
  const Abilities& device = runtime_->abilities();
  const Job* jobs = static_cast<const Job*>(memory_.jobs.host) + first;
  Launch launch = {};
  launch.kernel = entry.plan.kernel;
  launch.type = entry.type;
  launch.groups = static_cast<int>(count);
  if (entry.plan.kernel == Kernel::kPortable) {
    const int teams = std::max(1, device.team_blocks / entry.plan.blocks);
    launch.groups = std::min({launch.groups, teams, memory_.scratch_count});
  }
  Batch& batch = launch.batch;
  for (size_t e = 0; e < count; ++e) {
    const Layout at = plan_layout(entry.plan, entry.type, jobs[e].mode,
                                  jobs[e].rows, jobs[e].vocab);
    launch.shared_bytes = std::max(launch.shared_bytes, at.shared_bytes);
    batch.team.grow(at);
  }
  batch.records = static_cast<Record*>(memory_.records.device);
  batch.top = {memory_.candidates, memory_.ids,
               static_cast<int32_t*>(memory_.top_id.device),
               static_cast<float*>(memory_.top_logit.device), options_.rows};
  batch.count = static_cast<int32_t>(count);
  batch.blocks = entry.plan.blocks;
  batch.scratch = memory_.scratch;
  batch.scratch_bytes = memory_.scratch_bytes;
  if (jobs_copied) {
    batch.jobs = memory_.device_jobs + first;
  } else {
    std::copy_n(jobs, count, batch.inline_jobs);
  }
  return runtime_->launch(launch);
}

bool Engine::launch_all() {
  const bool copy_jobs = entries_.size() > kInlineJobs;
  if (copy_jobs && !runtime_->copy(memory_.device_jobs, memory_.jobs.host,
                                   entries_.size() * sizeof(Job))) {
    return false;
  }
  if (staged_used_ > 0 && !runtime_->copy(memory_.device_staging,
                                          memory_.staging.host, staged_used_)) {
    return false;
  }
  for (size_t first = 0; first < entries_.size();) {
    size_t end = first + 1;
    while (end < entries_.size() &&
           entries_[end].type == entries_[first].type &&
           entries_[end].plan == entries_[first].plan) {
      ++end;
    }
    if (!launch_run(first, end - first, copy_jobs)) return false;
    first = end;
  }
  return true;
}

}  // namespace skynet
