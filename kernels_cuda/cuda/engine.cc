// SPDX-License-Identifier: Apache-2.0

#include "engine.h"

#include <math.h>
#include <string.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "naive.h"

namespace skynet {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kStagedDefault = size_t{256} << 20;
constexpr size_t kScratchBudget = size_t{256} << 20;
constexpr int64_t kCloseTimeout = 500'000;  // us
// A waiting host polls without a pause for this long, then yields; it asks the
// device for errors no more often than kErrorInterval.
constexpr auto kSpin = std::chrono::microseconds(200);
constexpr auto kErrorInterval = std::chrono::milliseconds(1);

size_t width(LogitType type) {
  return type == LogitType::kF32 ? 4 : 2;
}

// Elements between staged rows: every row starts on 16 bytes.
int64_t staged_stride(const AuctionInput& in) {
  const int64_t unit = static_cast<int64_t>(16 / width(in.type));
  return (in.vocab + unit - 1) / unit * unit;
}

void grow(Scratch* team, const Layout& at) {
  team->board_bytes = std::max(team->board_bytes, at.board_bytes);
  team->crest_bytes = std::max(team->crest_bytes, at.crest_bytes);
}

bool wants_top(const DeviceReply& reply) {
  return reply.top.id != nullptr || reply.top.logit != nullptr;
}

bool options_ok(const DeviceOptions& o, std::string* error) {
  const bool ok = o.device >= 0 && o.replies >= 1 && o.rows >= 1 &&
                  o.rows <= kMaxRows && o.vocab >= 1 && o.vocab <= kMaxVocab &&
                  o.staged_bytes >= 0 && o.kernel >= Kernel::kAuto &&
                  o.kernel <= Kernel::kCluster;
  if (!ok) *error = "device options out of range";
  return ok;
}

const char* kernel_name(Kernel wanted, const Abilities& device) {
  if (wanted == Kernel::kNaive) return "naive kernel";
  const bool cluster = wanted != Kernel::kPortable && device.cluster_blocks > 0;
  return cluster ? "cluster kernel" : "portable kernel";
}

}  // namespace

std::unique_ptr<Engine> Engine::open(const DeviceOptions& options,
                                     std::string* error) {
  if (!options_ok(options, error)) return nullptr;
  auto runtime = Runtime::open(options.device, error);
  if (runtime == nullptr) return nullptr;
  const bool clusters = runtime->abilities().cluster_blocks > 0;
  if (options.kernel == Kernel::kCluster && !clusters) {
    *error = "this device has no thread-block clusters";
    return nullptr;
  }
  std::unique_ptr<Engine> engine(new Engine(options, std::move(runtime)));
  if (engine->reserve()) return engine;
  *error = "out of device or pinned memory";
  return nullptr;
}

Engine::Engine(const DeviceOptions& options, std::unique_ptr<Runtime> runtime)
    : options_(options), runtime_(std::move(runtime)) {
  const Abilities& device = runtime_->abilities();
  name_ = device.name + ", " + kernel_name(options.kernel, device);
}

Engine::~Engine() {
  runtime_->close(kCloseTimeout);
}

bool Engine::reserve() {
  const size_t replies = static_cast<size_t>(options_.replies);
  const size_t rows = static_cast<size_t>(options_.rows);
  const size_t logits = replies * rows * (options_.vocab + 8) * sizeof(float);
  staged_bytes_ = options_.staged_bytes > 0
                      ? static_cast<size_t>(options_.staged_bytes)
                      : std::min(logits, kStagedDefault);
  for (int blocks = 1; blocks <= kMaxTeam; blocks *= 2) {
    const Plan plan = {Kernel::kPortable, blocks};
    Scratch team = {};
    grow(&team, plan_layout(plan, LogitType::kF32, Mode::kArgmax, options_.rows,
                            options_.vocab));
    scratch_team_ = std::max(scratch_team_, size_t{team.bytes(blocks)});
  }
  const size_t teams =
      std::min<size_t>(replies, kScratchBudget / scratch_team_ + 1);
  scratch_teams_ = static_cast<int>(teams);
  if (options_.kernel == Kernel::kNaive) {
    scratch_team_ = naive_scratch(options_.rows, options_.vocab);
    scratch_teams_ = options_.replies;
  }
  records_ = runtime_->map(replies * sizeof(Record));
  top_id_ = runtime_->map(replies * rows * kTop * sizeof(int32_t));
  top_logit_ = runtime_->map(replies * rows * rows * kTop * sizeof(float));
  jobs_ = runtime_->map(replies * sizeof(Job));
  staging_ = runtime_->map(staged_bytes_);
  device_jobs_ = static_cast<char*>(runtime_->allocate(replies * sizeof(Job)));
  device_staging_ = static_cast<char*>(runtime_->allocate(staged_bytes_));
  scratch_ =
      static_cast<char*>(runtime_->allocate(scratch_team_ * scratch_teams_));
  candidates_ = static_cast<Candidate*>(
      runtime_->allocate(replies * kMaxTeam * rows * kTop * sizeof(Candidate)));
  ids_ = static_cast<int32_t*>(
      runtime_->allocate(replies * rows * kTop * sizeof(int32_t)));
  entries_.reserve(replies);
  logits_.resize(replies);
  stride_.resize(replies);
  for (const Mapped& m : {records_, top_id_, top_logit_, jobs_, staging_}) {
    if (m.host == nullptr || m.device == nullptr) return false;
  }
  return device_jobs_ != nullptr && device_staging_ != nullptr &&
         scratch_ != nullptr && candidates_ != nullptr && ids_ != nullptr;
}

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
    if (used + row * in.rows > staged_bytes_) return false;
    logits_[i] = device_staging_ + used;
    stride_[i] = staged_stride(in);
    for (int k = 0; k < in.rows; ++k, used += row) {
      const char* from = static_cast<const char*>(in.logits);
      memcpy(static_cast<char*>(staging_.host) + used,
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
  Job* jobs = static_cast<Job*>(jobs_.host);
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
  const Job* jobs = static_cast<const Job*>(jobs_.host) + first;
  Launch launch = {};
  launch.kernel = entry.plan.kernel;
  launch.type = entry.type;
  launch.groups = static_cast<int>(count);
  if (entry.plan.kernel == Kernel::kPortable) {
    const int teams = std::max(1, device.team_blocks / entry.plan.blocks);
    launch.groups = std::min({launch.groups, teams, scratch_teams_});
  }
  Batch& batch = launch.batch;
  for (size_t e = 0; e < count; ++e) {
    const Layout at = plan_layout(entry.plan, entry.type, jobs[e].mode,
                                  jobs[e].rows, jobs[e].vocab);
    launch.shared_bytes = std::max(launch.shared_bytes, at.shared_bytes);
    grow(&batch.team, at);
  }
  batch.records = static_cast<Record*>(records_.device);
  batch.top = {candidates_, ids_, static_cast<int32_t*>(top_id_.device),
               static_cast<float*>(top_logit_.device), options_.rows};
  batch.count = static_cast<int32_t>(count);
  batch.blocks = entry.plan.blocks;
  batch.scratch = scratch_;
  batch.scratch_bytes = scratch_team_;
  if (jobs_copied) {
    batch.jobs = reinterpret_cast<const Job*>(device_jobs_) + first;
  } else {
    std::copy_n(jobs, count, batch.inline_jobs);
  }
  return runtime_->launch(launch);
}

bool Engine::launch_all() {
  const bool copy_jobs = entries_.size() > kInlineJobs;
  if (copy_jobs && !runtime_->copy(device_jobs_, jobs_.host,
                                   entries_.size() * sizeof(Job))) {
    return false;
  }
  if (staged_used_ > 0 &&
      !runtime_->copy(device_staging_, staging_.host, staged_used_)) {
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

Status Engine::submit(DeviceReply* replies, int count) {
  if (replies == nullptr) return Status::kNullPointer;
  if (broken_) return Status::kDeviceFailed;
  if (pending_ || count < 1 || count > options_.replies) {
    return Status::kNoMemory;
  }
  for (int i = 0; i < count; ++i) {
    replies[i].status = static_cast<int32_t>(check(replies[i]));
  }
  if (!stage(replies, count)) return Status::kNoMemory;
  ++sequence_;
  plan_batch(replies, count);
  write_jobs(replies);
  broken_ = !launch_all();
  if (broken_) return Status::kDeviceFailed;
  replies_ = replies;
  pending_ = true;
  return Status::kOk;
}

bool Engine::arrived(const Entry& entry) const {
  const Record* records = static_cast<const Record*>(records_.host);
  return __atomic_load_n(&records[entry.reply].sequence, __ATOMIC_ACQUIRE) ==
         sequence_;
}

Status Engine::await(int64_t timeout_us) {
  const auto start = Clock::now();
  auto asked = start;
  for (const Entry& entry : entries_) {
    while (!arrived(entry)) {
      const auto now = Clock::now();
      if (now - start > std::chrono::microseconds(timeout_us)) {
        return Status::kDeviceTimeout;
      }
      if (now - asked > kErrorInterval) {
        if (runtime_->failed()) return Status::kDeviceFailed;
        asked = now;
      }
      if (now - start > kSpin) std::this_thread::yield();
    }
  }
  return Status::kOk;
}

void Engine::collect(const Entry& entry) {
  DeviceReply& out = replies_[entry.reply];
  const Record& record = static_cast<const Record*>(records_.host)[entry.reply];
  const size_t rows = static_cast<size_t>(out.input.rows);
  out.status = static_cast<int32_t>(record.status);
  *out.reply = record.reply;
  std::copy_n(record.rows, rows, out.rows);
  if (record.status != Status::kOk) return;
  const size_t slot = static_cast<size_t>(entry.reply) * options_.rows * kTop;
  const int32_t* id = static_cast<const int32_t*>(top_id_.host) + slot;
  const float* logit =
      static_cast<const float*>(top_logit_.host) + slot * options_.rows;
  if (out.top.id != nullptr) std::copy_n(id, rows * kTop, out.top.id);
  if (out.top.logit != nullptr) {
    std::copy_n(logit, rows * rows * kTop, out.top.logit);
  }
}

Status Engine::wait(int64_t timeout_us) {
  if (broken_) return Status::kDeviceFailed;
  if (!pending_) return Status::kOk;
  const Status status = await(timeout_us);
  broken_ = status != Status::kOk;
  if (broken_) return status;
  for (const Entry& entry : entries_) collect(entry);
  pending_ = false;
  return Status::kOk;
}

}  // namespace skynet
