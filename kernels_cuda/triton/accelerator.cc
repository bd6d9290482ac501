// SPDX-License-Identifier: Apache-2.0

#include "accelerator.h"

#include <dlfcn.h>

namespace skynet {
namespace {

// The folder this backend was loaded from; the libraries lie beside it.
std::string own_folder() {
  Dl_info info = {};
  if (dladdr(reinterpret_cast<void*>(&own_folder), &info) == 0) return ".";
  const std::string path = info.dli_fname;
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

template <typename Function>
bool find(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  return *function != nullptr;
}

}  // namespace

std::unique_ptr<Accelerator> Accelerator::open(DeviceChoice choice, int ordinal,
                                               std::string* why) {
  const char* const file = choice == DeviceChoice::kHost
                               ? "libskynet_auction_host.so"
                               : "libskynet_auction_cuda.so";
  std::unique_ptr<Accelerator> made(new Accelerator);
  made->ordinal_ = ordinal;
  made->library_ =
      dlopen((own_folder() + "/" + file).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (made->library_ == nullptr) {
    *why = std::string(file) + " cannot be loaded";
    return nullptr;
  }
  decltype(&skynet_device_open) open_engine = nullptr;
  if (!find(made->library_, "skynet_device_open", &open_engine) ||
      !find(made->library_, "skynet_device_name", &made->name_) ||
      !find(made->library_, "skynet_device_submit", &made->submit_) ||
      !find(made->library_, "skynet_device_wait", &made->wait_) ||
      !find(made->library_, "skynet_device_close", &made->close_)) {
    *why = std::string(file) + " is of another version";
    return nullptr;
  }
  DeviceOptions options = {};
  options.device = ordinal;
  options.replies = kBatch;
  options.rows = kMaxRows;
  options.vocab = kMaxVocab;
  char error[256] = "unknown error";
  made->engine_ = open_engine(&options, error, sizeof error);
  if (made->engine_ != nullptr) return made;
  *why = error;
  return nullptr;
}

// The library stays loaded: a device that hangs may still run its code.
Accelerator::~Accelerator() {
  if (engine_ != nullptr) close_(engine_);
}

Status Accelerator::run(DeviceReply* replies, int count, int64_t timeout_us) {
  const int32_t submitted = submit_(engine_, replies, count);
  if (submitted != static_cast<int32_t>(Status::kOk)) {
    return static_cast<Status>(submitted);
  }
  return static_cast<Status>(wait_(engine_, timeout_us));
}

}  // namespace skynet
