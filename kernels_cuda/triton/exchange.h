// SPDX-License-Identifier: Apache-2.0
//
// What every instance does around its work: time, responses, releases.
#ifndef SKYNET_TRITON_EXCHANGE_H_
#define SKYNET_TRITON_EXCHANGE_H_

#include <functional>
#include <string>

#include "triton_api.h"

namespace skynet {

uint64_t now_ns();
double seconds_since(uint64_t start_ns);

void warn(const std::string& text);

bool cancelled(TRITONBACKEND_Request* request);

void release(TRITONBACKEND_Request* request);

struct Exchange {
  TRITONBACKEND_ModelInstance* instance;
  TRITONBACKEND_Request* request;
  uint64_t began_ns;
  uint64_t computed_ns;
};

// Sends the one response, filled by write, or the error, which it takes over;
// reports the request's statistics. False when an error went out.
bool respond(
    const Exchange& exchange, TRITONSERVER_Error* error,
    const std::function<TRITONSERVER_Error*(TRITONBACKEND_Response*)>& write);

}  // namespace skynet

#endif  // SKYNET_TRITON_EXCHANGE_H_
