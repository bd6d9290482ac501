// SPDX-License-Identifier: Apache-2.0

#include "exchange.h"

#include <chrono>

#include "error.h"

namespace skynet {

uint64_t now_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

double seconds_since(uint64_t start_ns) {
  return 1e-9 * static_cast<double>(now_ns() - start_ns);
}

void warn(const std::string& text) {
  log_if(TRITONSERVER_LogMessage(TRITONSERVER_LOG_WARN, __FILE__, __LINE__,
                                 text.c_str()),
         "logging");
}

bool cancelled(TRITONBACKEND_Request* request) {
  bool is = false;
  return worked(TRITONBACKEND_RequestIsCancelled(request, &is)) && is;
}

void release(TRITONBACKEND_Request* request) {
  log_if(
      TRITONBACKEND_RequestRelease(request, TRITONSERVER_REQUEST_RELEASE_ALL),
      "releasing a request");
}

bool respond(
    const Exchange& exchange, TRITONSERVER_Error* error,
    const std::function<TRITONSERVER_Error*(TRITONBACKEND_Response*)>& write) {
  TRITONBACKEND_Response* response = nullptr;
  bool success = false;
  TRITONSERVER_Error* no_response =
      TRITONBACKEND_ResponseNew(&response, exchange.request);
  if (no_response != nullptr) {
    log_if(no_response, "creating a response");
  } else {
    if (error == nullptr) error = write(response);
    success = error == nullptr;
    log_if(TRITONBACKEND_ResponseSend(
               response, TRITONSERVER_RESPONSE_COMPLETE_FINAL, error),
           "sending a response");
  }
  if (error != nullptr) TRITONSERVER_ErrorDelete(error);
  log_if(TRITONBACKEND_ModelInstanceReportStatistics(
             exchange.instance, exchange.request, success, exchange.began_ns,
             exchange.began_ns, exchange.computed_ns, now_ns()),
         "reporting a request");
  return success;
}

}  // namespace skynet
