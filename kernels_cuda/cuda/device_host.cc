// SPDX-License-Identifier: Apache-2.0
//
// What only the CPU twin exports, for tests.

#include <stdio.h>

#include "engine.h"
#include "runtime_host.h"

#define SKYNET_EXPORT __attribute__((visibility("default")))

namespace {

skynet::HostRuntime& runtime(void* engine) {
  auto* e = static_cast<skynet::Engine*>(engine);
  return static_cast<skynet::HostRuntime&>(e->runtime());
}

}  // namespace

extern "C" {

// kind: 0 none, 1 the stream reports an error, 2 the device hangs, 3 a launch
// is refused; after so many more batches.
SKYNET_EXPORT void skynet_host_fail(void* engine, int32_t kind,
                                    int32_t after_batches) {
  runtime(engine).fail(static_cast<skynet::Fault>(kind), after_batches);
}

// Every launch then starts this much later.
SKYNET_EXPORT void skynet_host_delay(void* engine, int64_t us) {
  runtime(engine).delay(us);
}

// 1: blocks and threads run last to first.
SKYNET_EXPORT void skynet_host_backward(void* engine, int32_t backward) {
  runtime(engine).set_order(backward != 0 ? skynet::Order::kBackward
                                          : skynet::Order::kForward);
}

// The runtime calls since the last time, see HostRuntime::calls.
SKYNET_EXPORT int32_t skynet_host_calls(void* engine, char* out, int32_t size) {
  const std::string calls = runtime(engine).calls();
  runtime(engine).forget_calls();
  return snprintf(out, static_cast<size_t>(size), "%s", calls.c_str());
}

}  // extern "C"
