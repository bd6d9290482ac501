// SPDX-License-Identifier: Apache-2.0

#include "tensor.h"

#include <string.h>

#include <string>

#include "error.h"

namespace skynet {
namespace {

size_t type_bytes(TRITONSERVER_DataType type) {
  switch (type) {
    case TRITONSERVER_TYPE_FP16:
    case TRITONSERVER_TYPE_BF16:
      return 2;
    case TRITONSERVER_TYPE_UINT64:
    case TRITONSERVER_TYPE_FP64:
      return 8;
    default:
      return 4;
  }
}

std::string shape_text(const int64_t* shape, uint32_t dims) {
  std::string text = "[";
  for (uint32_t i = 0; i < dims; ++i) {
    text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  }
  return text + "]";
}

// Points at the input's only chunk, or copies its chunks into scratch. A lone
// chunk may lie on GPU `device`.
TRITONSERVER_Error* contiguous(TRITONBACKEND_Input* input, const char* name,
                               uint32_t buffers, uint64_t bytes, int64_t device,
                               std::vector<char>* scratch, Tensor* tensor) {
  if (buffers > 1) scratch->resize(bytes);
  uint64_t filled = 0;
  for (uint32_t i = 0; i < buffers; ++i) {
    const void* chunk = nullptr;
    uint64_t chunk_bytes = 0;
    TRITONSERVER_MemoryType memory = TRITONSERVER_MEMORY_CPU;
    int64_t memory_id = 0;
    SKYNET_RETURN_IF_ERROR(TRITONBACKEND_InputBuffer(
        input, i, &chunk, &chunk_bytes, &memory, &memory_id));
    tensor->on_device = memory == TRITONSERVER_MEMORY_GPU;
    if (tensor->on_device && (buffers > 1 || memory_id != device)) {
      return expected(name, "CPU memory or one buffer on the instance's GPU",
                      "GPU " + std::to_string(memory_id));
    }
    if (filled + chunk_bytes > bytes) break;
    if (buffers == 1) {
      tensor->data = static_cast<const char*>(chunk);
    } else if (chunk_bytes > 0) {
      memcpy(scratch->data() + filled, chunk, chunk_bytes);
      tensor->data = scratch->data();
    }
    filled += chunk_bytes;
  }
  if (filled == bytes) return nullptr;
  return expected(name, std::to_string(bytes) + " bytes in its buffers",
                  std::to_string(filled));
}

}  // namespace

TRITONSERVER_Error* read_tensor(TRITONBACKEND_Request* request,
                                const TensorSpec& spec,
                                TRITONSERVER_DataType type,
                                const TensorLimits& limits,
                                std::vector<char>* scratch, Tensor* tensor) {
  TRITONBACKEND_Input* input = nullptr;
  SKYNET_RETURN_IF_ERROR(
      TRITONBACKEND_RequestInput(request, spec.name, &input));
  TRITONSERVER_DataType got = TRITONSERVER_TYPE_INVALID;
  const int64_t* shape = nullptr;
  uint32_t dims = 0, buffers = 0;
  uint64_t bytes = 0;
  SKYNET_RETURN_IF_ERROR(TRITONBACKEND_InputProperties(
      input, nullptr, &got, &shape, &dims, &bytes, &buffers));
  if (got != type) {
    return expected(spec.name, TRITONSERVER_DataTypeString(type),
                    TRITONSERVER_DataTypeString(got));
  }
  if (dims != 2 || (spec.dim > 0 && shape[1] != spec.dim)) {
    const std::string width = spec.dim > 0 ? std::to_string(spec.dim) : "width";
    return expected(spec.name, "shape [rows, " + width + "]",
                    shape_text(shape, dims));
  }
  const int64_t most = spec.dim > 0 ? spec.dim : limits.width;
  if (shape[0] < 1 || shape[0] > limits.rows || shape[1] < 1 ||
      shape[1] > most) {
    return expected(spec.name,
                    "1 to " + std::to_string(limits.rows) + " rows of 1 to " +
                        std::to_string(most) + " values",
                    shape_text(shape, dims));
  }
  const uint64_t wanted =
      static_cast<uint64_t>(shape[0] * shape[1]) * type_bytes(type);
  if (bytes != wanted) {
    return expected(spec.name, std::to_string(wanted) + " bytes",
                    std::to_string(bytes));
  }
  tensor->rows = shape[0];
  tensor->width = shape[1];
  return contiguous(input, spec.name, buffers, bytes, limits.device, scratch,
                    tensor);
}

void align(size_t alignment, size_t bytes, std::vector<char>* scratch,
           Tensor* tensor) {
  if (reinterpret_cast<uintptr_t>(tensor->data) % alignment == 0) return;
  scratch->assign(tensor->data, tensor->data + bytes);
  tensor->data = scratch->data();
}

TRITONSERVER_Error* new_output(TRITONBACKEND_Response* response,
                               const char* name, TRITONSERVER_DataType type,
                               int64_t rows, int64_t width, size_t bytes,
                               char** at) {
  const int64_t shape[] = {rows, width};
  TRITONBACKEND_Output* output = nullptr;
  SKYNET_RETURN_IF_ERROR(
      TRITONBACKEND_ResponseOutput(response, &output, name, type, shape, 2));
  void* buffer = nullptr;
  TRITONSERVER_MemoryType memory = TRITONSERVER_MEMORY_CPU;
  int64_t memory_id = 0;
  SKYNET_RETURN_IF_ERROR(
      TRITONBACKEND_OutputBuffer(output, &buffer, bytes, &memory, &memory_id));
  if (memory == TRITONSERVER_MEMORY_GPU) {
    return expected(name, "CPU memory", "GPU memory");
  }
  *at = static_cast<char*>(buffer);
  return nullptr;
}

}  // namespace skynet
