// SPDX-License-Identifier: Apache-2.0

#include <stdio.h>

#include <chrono>
#include <future>
#include <thread>
#include <vector>

#include "launch.h"

namespace skynet {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kLastResort =
    400'000;  // us, where no engine came to close it

std::string sentence(const char* what, cudaError_t error) {
  return std::string(what) + ": " + cudaGetErrorString(error);
}

class CudaRuntime : public Runtime {
 public:
  ~CudaRuntime() override { close(kLastResort); }

  bool start(int device, std::string* error);

  const Abilities& abilities() const override { return abilities_; }
  void* stream() const override { return stream_; }
  Mapped map(size_t bytes) override;
  void* allocate(size_t bytes) override;
  bool copy(void* device, const void* mapped, size_t bytes) override;
  bool launch(const Launch& launch) override;
  bool failed() override;
  void close(int64_t timeout_us) override;

 private:
  // The calling thread's current device may be another.
  bool bind() const { return cudaSetDevice(device_) == cudaSuccess; }
  bool at_rest(int64_t timeout_us);

  int device_ = 0;
  Abilities abilities_;
  cudaStream_t stream_ = nullptr;
  std::vector<void*> mapped_;
  std::vector<void*> allocated_;
};

bool CudaRuntime::start(int device, std::string* error) {
  device_ = device;
  cudaDeviceProp properties;
  cudaError_t status = cudaGetDeviceProperties(&properties, device);
  if (status == cudaSuccess) status = cudaSetDevice(device);
  if (status != cudaSuccess) {
    *error = sentence("no usable GPU", status);
    return false;
  }
  if (properties.major < 8) {
    *error = std::string(properties.name) + " is older than sm_80";
    return false;
  }
  char name[300];
  snprintf(name, sizeof name, "%s, sm_%d%d", properties.name, properties.major,
           properties.minor);
  abilities_.name = name;
  abilities_.processors = properties.multiProcessorCount;
  status = prepare_portable(properties, &abilities_);
  if (status == cudaSuccess) status = prepare_cluster(properties, &abilities_);
  if (status == cudaSuccess) {
    status = cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking);
  }
  if (status != cudaSuccess) *error = sentence(name, status);
  return status == cudaSuccess;
}

Mapped CudaRuntime::map(size_t bytes) {
  Mapped memory = {};
  const auto flags = cudaHostAllocMapped | cudaHostAllocPortable;
  if (cudaHostAlloc(&memory.host, bytes, flags) != cudaSuccess) return {};
  mapped_.push_back(memory.host);
  memset(memory.host, 0, bytes);
  if (cudaHostGetDevicePointer(&memory.device, memory.host, 0) != cudaSuccess) {
    return {};
  }
  return memory;
}

void* CudaRuntime::allocate(size_t bytes) {
  void* memory = nullptr;
  if (cudaMalloc(&memory, bytes) != cudaSuccess) return nullptr;
  allocated_.push_back(memory);
  if (cudaMemsetAsync(memory, 0, bytes, stream_) != cudaSuccess) return nullptr;
  return memory;
}

bool CudaRuntime::copy(void* device, const void* mapped, size_t bytes) {
  return bind() &&
         cudaMemcpyAsync(device, mapped, bytes, cudaMemcpyHostToDevice,
                         stream_) == cudaSuccess;
}

bool CudaRuntime::launch(const Launch& launch) {
  if (!bind()) return false;
  switch (launch.kernel) {
    case Kernel::kNaive:
      return launch_naive(launch, stream_) == cudaSuccess;
    case Kernel::kCluster:
      return launch_cluster(launch, stream_) == cudaSuccess;
    default:
      return launch_portable(launch, stream_) == cudaSuccess;
  }
}

bool CudaRuntime::failed() {
  const cudaError_t error = cudaStreamQuery(stream_);
  return error != cudaSuccess && error != cudaErrorNotReady;
}

bool CudaRuntime::at_rest(int64_t timeout_us) {
  const auto end = Clock::now() + std::chrono::microseconds(timeout_us);
  while (cudaStreamQuery(stream_) == cudaErrorNotReady) {
    if (Clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

// Every call that frees waits for the whole device, also for what others run on
// it. Memory of a hung stream stays: its kernel may still write to it.
void CudaRuntime::close(int64_t timeout_us) {
  if (stream_ == nullptr) return;
  auto done = std::make_shared<std::promise<void>>();
  const auto freed = done->get_future();
  if (bind() && at_rest(timeout_us)) {
    std::thread([=, device = device_, stream = stream_, mapped = mapped_,
                 allocated = allocated_] {
      cudaSetDevice(device);
      for (void* memory : allocated) cudaFree(memory);
      for (void* memory : mapped) cudaFreeHost(memory);
      cudaStreamDestroy(stream);
      done->set_value();
    }).detach();
    freed.wait_for(std::chrono::microseconds(timeout_us));
  }
  stream_ = nullptr;
}

}  // namespace

std::unique_ptr<Runtime> Runtime::open(int device, std::string* error) {
  auto runtime = std::make_unique<CudaRuntime>();
  if (!runtime->start(device, error)) return nullptr;
  return runtime;
}

}  // namespace skynet
