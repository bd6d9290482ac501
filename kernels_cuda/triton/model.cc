// SPDX-License-Identifier: Apache-2.0

#include "model.h"

#include <chrono>
#include <exception>
#include <string>

#include "../cpu/paths.h"
#include "error.h"
#include "model_config.h"

namespace skynet {
namespace {

uint64_t now_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

const char* reason(RowStatus status) {
  switch (status) {
    case RowStatus::kNotFinite:
      return "a logit is NaN or infinite";
    case RowStatus::kEmpty:
      return "no logit is finite";
    case RowStatus::kBadWeight:
      return "its weight is not finite or negative";
    case RowStatus::kOk:
      break;
  }
  return "unknown";
}

TRITONSERVER_Error* refused(Status status, const Reply& reply) {
  std::string text = message(status);
  if (status == Status::kBadReference) {
    text += std::string(": ") + reason(reply.rows[0].status);
  }
  const bool ours = status == Status::kNoMemory || status == Status::kBadPath ||
                    status == Status::kNullPointer;
  return TRITONSERVER_ErrorNew(
      ours ? TRITONSERVER_ERROR_INTERNAL : TRITONSERVER_ERROR_INVALID_ARG,
      text.c_str());
}

}  // namespace

TRITONSERVER_Error* Model::create(TRITONBACKEND_Model* handle,
                                  const MetricFamilies& families,
                                  std::unique_ptr<Model>* model) {
  const char* name = nullptr;
  uint64_t version = 0;
  SKYNET_RETURN_IF_ERROR(TRITONBACKEND_ModelName(handle, &name));
  SKYNET_RETURN_IF_ERROR(TRITONBACKEND_ModelVersion(handle, &version));
  Path path;
  if (!resolve_path(Path::kAuto, &path)) {
    return invalid(std::string("SKYNET_AUCTION_PATH: ") +
                   message(Status::kBadPath));
  }
  auto made = std::make_unique<Model>();
  SKYNET_RETURN_IF_ERROR(check_config(handle, &made->logits_type));
  made->metrics = std::make_unique<Metrics>(families, name, version);
  *model = std::move(made);
  return nullptr;
}

void Instance::count_reply(const Reply& reply) const {
  int dropped = 0;
  for (int k = 1; k < reply.input.rows; ++k) {
    dropped += reply.rows[k].status != RowStatus::kOk;
  }
  model_.metrics->add(kTokens, 1);
  model_.metrics->add(kNearTies, reply.result.near_tie);
  model_.metrics->add(kRowsDropped, dropped);
}

TRITONSERVER_Error* Instance::auction(TRITONBACKEND_Request* request,
                                      Reply* reply, uint64_t* kernel_ns) {
  bool cancelled = false;
  if (worked(TRITONBACKEND_RequestIsCancelled(request, &cancelled)) &&
      cancelled) {
    return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_CANCELLED,
                                 "the request was cancelled");
  }
  try {
    SKYNET_RETURN_IF_ERROR(
        read_request(request, model_.logits_type, &gather_, reply));
  } catch (const std::exception&) {  // a gather buffer could not grow
    return refused(Status::kNoMemory, *reply);
  }
  const uint64_t start = now_ns();
  const TopResult top = reply->top();
  const Status status = run(reply->input, Path::kAuto, workspace_,
                            &reply->result, reply->rows, &top);
  *kernel_ns += now_ns() - start;
  return status == Status::kOk ? nullptr : refused(status, *reply);
}

// Sends a response or the error; takes ownership of the error.
void Instance::answer(TRITONBACKEND_Request* request, const Reply& reply,
                      TRITONSERVER_Error* error, bool* success) {
  TRITONBACKEND_Response* response = nullptr;
  *success = false;
  TRITONSERVER_Error* no_response =
      TRITONBACKEND_ResponseNew(&response, request);
  if (no_response != nullptr) {
    log_if(no_response, "creating a response");
  } else {
    if (error == nullptr) error = write_response(request, reply, response);
    *success = error == nullptr;
    log_if(TRITONBACKEND_ResponseSend(
               response, TRITONSERVER_RESPONSE_COMPLETE_FINAL, error),
           "sending a response");
  }
  if (error != nullptr) TRITONSERVER_ErrorDelete(error);
}

void Instance::execute(TRITONBACKEND_Request** requests, uint32_t count) {
  const uint64_t batch_start = now_ns();
  uint64_t rows = 0, kernel_ns = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const uint64_t start = now_ns();
    Reply* reply = reply_.get();
    reply->clear();
    TRITONSERVER_Error* error = auction(requests[i], reply, &kernel_ns);
    const uint64_t computed = now_ns();
    bool success = false;
    if (error == nullptr) count_reply(*reply);
    answer(requests[i], *reply, error, &success);
    if (!success) model_.metrics->add(kErrors, 1);
    rows += reply->input.rows > 0 ? reply->input.rows : 1;
    log_if(TRITONBACKEND_ModelInstanceReportStatistics(
               handle_, requests[i], success, start, start, computed, now_ns()),
           "reporting a request");
    log_if(TRITONBACKEND_RequestRelease(requests[i],
                                        TRITONSERVER_REQUEST_RELEASE_ALL),
           "releasing a request");
  }
  const uint64_t end = now_ns();
  model_.metrics->add(kCpuSeconds, 1e-9 * static_cast<double>(kernel_ns));
  log_if(TRITONBACKEND_ModelInstanceReportBatchStatistics(
             handle_, rows, batch_start, batch_start, end, end),
         "reporting a batch");
}

}  // namespace skynet
