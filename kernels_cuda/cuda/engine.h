// SPDX-License-Identifier: Apache-2.0
//
// The host side of device.h, the same for both builds: checks, jobs, launches,
// results. One batch at a time; its memory is taken when the engine opens.
#ifndef SKYNET_CUDA_ENGINE_H_
#define SKYNET_CUDA_ENGINE_H_

#include <memory>
#include <string>
#include <vector>

#include "device.h"
#include "memory.h"
#include "plan.h"
#include "runtime.h"

namespace skynet {

class Engine {
 public:
  // Null on failure, with a sentence in *error.
  static std::unique_ptr<Engine> open(const DeviceOptions& options,
                                      std::string* error);
  ~Engine();

  const char* name() const { return name_.c_str(); }
  Runtime& runtime() { return *runtime_; }

  Status submit(DeviceReply* replies, int count);
  Status wait(int64_t timeout_us);

 private:
  // A reply of the batch in flight and how it is served.
  struct Entry {
    int reply;  // index in the caller's array
    LogitType type;
    Plan plan;
  };

  Engine(const DeviceOptions& options, std::unique_ptr<Runtime> runtime);
  Status check(const DeviceReply& reply) const;
  bool stage(DeviceReply* replies, int count);
  void plan_batch(DeviceReply* replies, int count);
  void write_jobs(const DeviceReply* replies);
  bool launch_all();
  bool launch_run(size_t first, size_t count, bool jobs_copied);
  bool arrived(const Entry& entry) const;
  Status await(int64_t timeout_us);
  void collect(const Entry& entry);

  DeviceOptions options_;
  std::unique_ptr<Runtime> runtime_;
  std::string name_;
  Memory memory_ = {};

  DeviceReply* replies_ = nullptr;  // of the batch in flight
  std::vector<Entry> entries_;
  std::vector<const void*> logits_;  // by reply: where the device reads them
  std::vector<int64_t> stride_;
  size_t staged_used_ = 0;
  uint32_t sequence_ = 0;
  bool pending_ = false;
  bool broken_ = false;
};

}  // namespace skynet

#endif  // SKYNET_CUDA_ENGINE_H_
