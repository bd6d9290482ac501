// SPDX-License-Identifier: Apache-2.0

#include "mpc_instance.h"

#include <string.h>

#include <exception>
#include <string>

#include "../mpc/paths.h"
#include "error.h"
#include "exchange.h"

namespace skynet {
namespace mpc {

TRITONSERVER_Error* Instance::create(TRITONBACKEND_ModelInstance* handle,
                                     const Model& model,
                                     std::unique_ptr<Instance>* instance) {
  instance->reset(new Instance(handle, model));
  return nullptr;
}

void Instance::execute(TRITONBACKEND_Request** requests, uint32_t count) {
  const uint64_t began = now_ns();
  uint64_t rows = 0;
  for (uint32_t i = 0; i < count; ++i) {
    TRITONBACKEND_Request* request = requests[i];
    const uint64_t start = now_ns();
    batch_ = {};
    TRITONSERVER_Error* error = run(request);
    rows += batch_.rows > 0 ? batch_.rows : 1;
    const bool success =
        respond({handle_, request, start, now_ns()}, error,
                [&](TRITONBACKEND_Response* r) { return write(request, r); });
    if (!success) model_.metrics->add(kErrors, 1);
    release(request);
  }
  const uint64_t end = now_ns();
  log_if(TRITONBACKEND_ModelInstanceReportBatchStatistics(handle_, rows, began,
                                                          began, end, end),
         "reporting a batch");
}

TRITONSERVER_Error* Instance::run(TRITONBACKEND_Request* request) {
  if (cancelled(request)) {
    return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_CANCELLED,
                                 "the request was cancelled");
  }
  try {
    SKYNET_RETURN_IF_ERROR(read(request));
  } catch (const std::exception&) {  // a buffer could not grow
    return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_INTERNAL, "out of memory");
  }
  const uint64_t began = now_ns();
  const Status status = decide(batch_, Path::kAuto);
  model_.metrics->add(kSeconds, seconds_since(began));
  if (status != Status::kOk) {
    return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_INTERNAL, message(status));
  }
  count_rows();
  return nullptr;
}

// A tensor of other rows than the first: Triton forbids it, so does the kernel.
TRITONSERVER_Error* Instance::read(TRITONBACKEND_Request* request) {
  const struct {
    TRITONSERVER_DataType type;
    size_t bytes;  // of an element
    std::vector<char>* scratch;
  } inputs[] = {{TRITONSERVER_TYPE_FP32, sizeof(float), &mixture_},
                {TRITONSERVER_TYPE_FP32, sizeof(float), &bid_},
                {TRITONSERVER_TYPE_FP64, sizeof(double), &control_}};
  Tensor tensor[3] = {};
  for (int i = 0; i < 3; ++i) {
    SKYNET_RETURN_IF_ERROR(read_tensor(request, kInputs[i], inputs[i].type,
                                       {kMaxRows}, inputs[i].scratch,
                                       &tensor[i]));
    if (tensor[i].rows != tensor[0].rows) {
      return expected(kInputs[i].name, std::to_string(tensor[0].rows) + " rows",
                      std::to_string(tensor[i].rows));
    }
    align(inputs[i].bytes, inputs[i].bytes * tensor[i].rows * tensor[i].width,
          inputs[i].scratch, &tensor[i]);
  }
  batch_.mixture = reinterpret_cast<const float*>(tensor[0].data);
  batch_.bid = reinterpret_cast<const float*>(tensor[1].data);
  batch_.control = reinterpret_cast<const double*>(tensor[2].data);
  batch_.weight = weight_;
  batch_.decision = decision_;
  batch_.steps = steps_;
  batch_.rows = static_cast<int32_t>(tensor[0].rows);
  return nullptr;
}

// Creates the requested outputs, and only those.
TRITONSERVER_Error* Instance::write(TRITONBACKEND_Request* request,
                                    TRITONBACKEND_Response* response) const {
  uint32_t count = 0;
  SKYNET_RETURN_IF_ERROR(TRITONBACKEND_RequestOutputCount(request, &count));
  for (uint32_t i = 0; i < count; ++i) {
    const char* name = nullptr;
    SKYNET_RETURN_IF_ERROR(TRITONBACKEND_RequestOutputName(request, i, &name));
    const bool weight = strcmp(name, kOutputs[0].name) == 0;
    const TensorSpec& spec = kOutputs[weight ? 0 : 1];
    const size_t element = weight ? sizeof(float) : sizeof(double);
    const size_t bytes = element * spec.dim * batch_.rows;
    char* at = nullptr;
    SKYNET_RETURN_IF_ERROR(
        new_output(response, spec.name,
                   weight ? TRITONSERVER_TYPE_FP32 : TRITONSERVER_TYPE_FP64,
                   batch_.rows, spec.dim, bytes, &at));
    if (weight) {
      memcpy(at, weight_, bytes);
    } else {
      memcpy(at, decision_, bytes);
    }
  }
  return nullptr;
}

void Instance::count_rows() const {
  int decided = 0, refused = 0, abandoned = 0, bisected = 0;
  for (int k = 0; k < batch_.rows; ++k) {
    const double* decision = decision_ + k * kDecision;
    if (batch_.control[k * kControl + kControlled] == 0.0) continue;
    const bool bad = decision[kMethod] == static_cast<double>(Method::kRefused);
    refused += bad;
    decided += !bad;
    abandoned += decision[kAbandon] == 1.0;
    bisected += steps_[k].bisection > 0;
  }
  model_.metrics->add(kRowsDecided, decided);
  model_.metrics->add(kRowsRefused, refused);
  model_.metrics->add(kAbandons, abandoned);
  model_.metrics->add(kBisections, bisected);
}

}  // namespace mpc
}  // namespace skynet
