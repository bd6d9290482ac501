// SPDX-License-Identifier: Apache-2.0

#include "runtime_host.h"

#include <stdio.h>
#include <stdlib.h>

#include <chrono>

namespace skynet {
namespace {

constexpr size_t kAlignment = 256;  // as cudaMalloc's

// As an H100 has it.
Abilities h100() {
  Abilities a;
  a.name = "CPU twin of an H100";
  a.processors = 132;
  a.team_blocks = 264;
  a.cluster_blocks = kMaxCluster;
  a.shared_bytes = 227 * 1024 - sizeof(Control);
  return a;
}

}  // namespace

std::unique_ptr<Runtime> Runtime::open(int, std::string*) {
  return std::make_unique<HostRuntime>();
}

HostRuntime::HostRuntime() : abilities_(h100()), worker_([this] { work(); }) {}

HostRuntime::~HostRuntime() {
  close(0);
}

Mapped HostRuntime::map(size_t bytes) {
  note("map " + std::to_string(bytes));
  void* start = take(bytes);
  return {start, start};
}

void* HostRuntime::allocate(size_t bytes) {
  note("allocate " + std::to_string(bytes));
  return take(bytes);
}

void* HostRuntime::take(size_t bytes) {
  char* start = static_cast<char*>(calloc(bytes + kAlignment, 1));
  if (start == nullptr) return nullptr;
  memory_.emplace_back(start, &free);
  return start + -reinterpret_cast<uintptr_t>(start) % kAlignment;
}

bool HostRuntime::copy(void* device, const void* mapped, size_t bytes) {
  note("copy 0 " + std::to_string(bytes));
  enqueue([=] { memcpy(device, mapped, bytes); });
  return true;
}

bool HostRuntime::launch(const Launch& launch) {
  note("launch 0");
  read_fault_file();
  std::lock_guard<std::mutex> lock(mutex_);
  const bool strike = fault_ != Fault::kNone && --fault_after_ < 0;
  if (strike && fault_ == Fault::kRefuse) return false;
  const Fault fault = strike ? fault_ : Fault::kNone;
  queue_.push_back([this, launch, fault, us = delay_us_, order = order_] {
    std::unique_lock<std::mutex> held(mutex_);
    changed_.wait_for(held, std::chrono::microseconds(us),
                      [this] { return closing_; });
    if (fault == Fault::kError) failed_ = true;
    if (fault == Fault::kHang) changed_.wait(held, [this] { return closing_; });
    const bool stop = failed_ || closing_;
    held.unlock();
    if (!stop) kernels_.run(launch, order);
  });
  changed_.notify_all();
  return true;
}

bool HostRuntime::failed() {
  note("failed 0");
  std::lock_guard<std::mutex> lock(mutex_);
  return failed_;
}

void HostRuntime::close(int64_t) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  if (worker_.joinable()) worker_.join();
}

void HostRuntime::fail(Fault fault, int after_launches) {
  std::lock_guard<std::mutex> lock(mutex_);
  fault_ = fault;
  fault_after_ = after_launches;
}

void HostRuntime::delay(int64_t us) {
  std::lock_guard<std::mutex> lock(mutex_);
  delay_us_ = us;
}

void HostRuntime::set_order(Order order) {
  std::lock_guard<std::mutex> lock(mutex_);
  order_ = order;
}

std::string HostRuntime::calls() {
  std::lock_guard<std::mutex> lock(mutex_);
  return calls_;
}

void HostRuntime::forget_calls() {
  std::lock_guard<std::mutex> lock(mutex_);
  calls_.clear();
}

void HostRuntime::work() {
  for (;;) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return closing_ || !queue_.empty(); });
    if (closing_) return;
    const std::function<void()> task = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    task();
  }
}

void HostRuntime::note(const std::string& call) {
  constexpr size_t kKept = 1 << 16;
  std::lock_guard<std::mutex> lock(mutex_);
  if (calls_.size() < kKept) calls_ += call + ";";
}

void HostRuntime::enqueue(std::function<void()> task) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    queue_.push_back(std::move(task));
  }
  changed_.notify_all();
}

// A running server's device can be made to fail from outside: the file named by
// HOST_DEVICE_FAULT_FILE says `error`, `hang` or `delay_us N`.
void HostRuntime::read_fault_file() {
  const char* path = getenv("HOST_DEVICE_FAULT_FILE");
  FILE* file = path != nullptr ? fopen(path, "r") : nullptr;
  if (file == nullptr) return;
  char word[32] = "";
  long long us = 0;
  const int words = fscanf(file, "%31s %lld", word, &us);
  fclose(file);
  if (words < 1) return;
  if (strcmp(word, "error") == 0) fail(Fault::kError, 0);
  if (strcmp(word, "hang") == 0) fail(Fault::kHang, 0);
  if (strcmp(word, "delay_us") == 0) delay(us);
}

}  // namespace skynet
