// SPDX-License-Identifier: Apache-2.0

#include "engine.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace skynet {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kCloseTimeout = 400'000;  // us, waited for twice at most
// A waiting host polls without a pause for this long, then yields; it asks the
// device for errors no more often than kErrorInterval.
constexpr auto kSpin = std::chrono::microseconds(200);
constexpr auto kErrorInterval = std::chrono::milliseconds(1);

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
  if (engine->memory_.reserve(*engine->runtime_, options)) return engine;
  *error = "out of device or pinned memory";
  return nullptr;
}

Engine::Engine(const DeviceOptions& options, std::unique_ptr<Runtime> runtime)
    : options_(options), runtime_(std::move(runtime)) {
  const Abilities& device = runtime_->abilities();
  name_ = device.name + ", " + kernel_name(options.kernel, device);
  const size_t replies = static_cast<size_t>(options.replies);
  entries_.reserve(replies);
  logits_.resize(replies);
  stride_.resize(replies);
}

Engine::~Engine() {
  runtime_->close(kCloseTimeout);
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
  const Record* records = static_cast<const Record*>(memory_.records.host);
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
  const Record& record =
      static_cast<const Record*>(memory_.records.host)[entry.reply];
  const size_t rows = static_cast<size_t>(out.input.rows);
  out.status = static_cast<int32_t>(record.status);
  *out.reply = record.reply;
  std::copy_n(record.rows, rows, out.rows);
  if (record.status != Status::kOk) return;
  const size_t slot = static_cast<size_t>(entry.reply) * options_.rows * kTop;
  const int32_t* id = static_cast<const int32_t*>(memory_.top_id.host) + slot;
  const float* logit =
      static_cast<const float*>(memory_.top_logit.host) + slot * options_.rows;
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
