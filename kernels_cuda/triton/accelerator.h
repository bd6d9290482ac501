// SPDX-License-Identifier: Apache-2.0
//
// The accelerator of one instance: cuda/device.h behind a library that is
// loaded when the model asks for it, so that a server without CUDA needs none.
#ifndef SKYNET_TRITON_ACCELERATOR_H_
#define SKYNET_TRITON_ACCELERATOR_H_

#include <memory>
#include <string>

#include "../cuda/device.h"

namespace skynet {

// Parameter "device" of the model's configuration.
enum class DeviceChoice {
  kAuto,  // CUDA where the instance is on a GPU, else the CPU
  kCpu,
  kCuda,
  kHost,  // the CUDA kernels' templates compiled for the CPU: slow, for tests
};

class Accelerator {
 public:
  // Replies of one batch; a longer execute call is cut.
  static constexpr int kBatch = 64;

  // Null, with a sentence in why, if the library or the device is missing.
  static std::unique_ptr<Accelerator> open(DeviceChoice choice, int ordinal,
                                           std::string* why);
  // May block for a second when the device hangs.
  ~Accelerator();
  Accelerator(const Accelerator&) = delete;
  Accelerator& operator=(const Accelerator&) = delete;

  // Runs a batch and fills each reply's status. kNoMemory: it was too large
  // and nothing was started. After kDeviceFailed or kDeviceTimeout the object
  // can only be destroyed, and until then the device may still read the batch's
  // logits.
  Status run(DeviceReply* replies, int count, int64_t timeout_us);

  const char* name() const { return name_(engine_); }
  int ordinal() const { return ordinal_; }

 private:
  Accelerator() = default;

  int ordinal_ = 0;
  void* library_ = nullptr;
  void* engine_ = nullptr;
  decltype(&skynet_device_name) name_ = nullptr;
  decltype(&skynet_device_submit) submit_ = nullptr;
  decltype(&skynet_device_wait) wait_ = nullptr;
  decltype(&skynet_device_close) close_ = nullptr;
};

}  // namespace skynet

#endif  // SKYNET_TRITON_ACCELERATOR_H_
