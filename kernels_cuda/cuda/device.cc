// SPDX-License-Identifier: Apache-2.0
//
// device.h's entry points over the engine.

#include "device.h"

#include <stdio.h>

#include <chrono>
#include <exception>
#include <string>

#include "engine.h"

using skynet::Engine;
using skynet::Status;

#define SKYNET_EXPORT __attribute__((visibility("default")))

SKYNET_EXPORT void* skynet_device_open(const skynet::DeviceOptions* options,
                                       char* error, int32_t error_size) {
  std::string text = "a required buffer is missing";
  Engine* engine = nullptr;
  try {
    if (options != nullptr) engine = Engine::open(*options, &text).release();
  } catch (const std::exception& e) {
    text = e.what();
  }
  if (engine == nullptr && error != nullptr && error_size > 0) {
    snprintf(error, static_cast<size_t>(error_size), "%s", text.c_str());
  }
  return engine;
}

SKYNET_EXPORT const char* skynet_device_name(void* engine) {
  return engine == nullptr ? "" : static_cast<Engine*>(engine)->name();
}

SKYNET_EXPORT void* skynet_device_stream(void* engine) {
  return engine == nullptr ? nullptr
                           : static_cast<Engine*>(engine)->runtime().stream();
}

SKYNET_EXPORT int32_t skynet_device_submit(void* engine,
                                           skynet::DeviceReply* replies,
                                           int32_t count) {
  const Status status =
      engine == nullptr ? Status::kNullPointer
                        : static_cast<Engine*>(engine)->submit(replies, count);
  return static_cast<int32_t>(status);
}

SKYNET_EXPORT int32_t skynet_device_wait(void* engine, int64_t timeout_us) {
  const Status status = engine == nullptr
                            ? Status::kNullPointer
                            : static_cast<Engine*>(engine)->wait(timeout_us);
  return static_cast<int32_t>(status);
}

SKYNET_EXPORT int32_t skynet_device_measure(void* engine,
                                            skynet::DeviceReply* replies,
                                            int32_t count, int32_t repeats,
                                            double* us) {
  using Clock = std::chrono::steady_clock;
  if (us == nullptr) return static_cast<int32_t>(Status::kNullPointer);
  for (int i = 0; i < repeats; ++i) {
    const auto start = Clock::now();
    int32_t status = skynet_device_submit(engine, replies, count);
    if (status == 0) status = skynet_device_wait(engine, 10'000'000);
    if (status != 0) return status;
    us[i] =
        std::chrono::duration<double, std::micro>(Clock::now() - start).count();
  }
  return 0;
}

SKYNET_EXPORT void skynet_device_close(void* engine) {
  delete static_cast<Engine*>(engine);
}
