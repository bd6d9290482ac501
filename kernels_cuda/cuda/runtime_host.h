// SPDX-License-Identifier: Apache-2.0
//
// A device that is a CPU thread: copies and launches are queued and run in
// order, like a stream. It can be told to fail, hang or dawdle, and remembers
// every call made to it.
#ifndef SKYNET_CUDA_RUNTIME_HOST_H_
#define SKYNET_CUDA_RUNTIME_HOST_H_

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "host_kernels.h"

namespace skynet {

enum class Fault : int32_t { kNone = 0, kError = 1, kHang = 2, kRefuse = 3 };

class HostRuntime : public Runtime {
 public:
  HostRuntime();
  ~HostRuntime() override;

  const Abilities& abilities() const override { return abilities_; }
  void* stream() const override { return nullptr; }
  Mapped map(size_t bytes) override;
  void* allocate(size_t bytes) override;
  bool copy(void* device, const void* mapped, size_t bytes) override;
  bool launch(const Launch& launch) override;
  bool failed() override;
  void close(int64_t timeout_us) override;

  // The fault sets in once this many more launches have been made.
  void fail(Fault fault, int after_launches);
  void delay(int64_t us);
  void set_order(Order order);
  // "map 4096;allocate 4096;copy 0 128;launch 0;": a call, its stream, bytes.
  std::string calls();
  void forget_calls();

 private:
  void* take(size_t bytes);
  void work();
  void note(const std::string& call);
  void enqueue(std::function<void()> task);
  void read_fault_file();

  Abilities abilities_;
  HostKernels kernels_;
  std::vector<std::unique_ptr<char, void (*)(void*)>> memory_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  std::string calls_;
  Fault fault_ = Fault::kNone;
  int fault_after_ = 0;
  int64_t delay_us_ = 0;
  Order order_ = Order::kForward;
  bool failed_ = false;
  bool hung_ = false;
  bool closing_ = false;
  std::thread worker_;
};

}  // namespace skynet

#endif  // SKYNET_CUDA_RUNTIME_HOST_H_
