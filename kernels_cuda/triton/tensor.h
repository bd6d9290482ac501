// SPDX-License-Identifier: Apache-2.0
//
// One tensor of a request or a response: checked, made contiguous, allocated.
#ifndef SKYNET_TRITON_TENSOR_H_
#define SKYNET_TRITON_TENSOR_H_

#include <vector>

#include "../include/tensor_spec.h"
#include "triton_api.h"

namespace skynet {

struct Tensor {
  const char* data;
  int64_t rows;
  int64_t width;
  bool on_device;
};

// No GPU memory is taken.
constexpr int64_t kNoDevice = -1;

struct TensorLimits {
  int64_t rows;
  int64_t width = 0;           // most, where the contract's dim is -1
  int64_t device = kNoDevice;  // the GPU whose memory a lone chunk may lie in
};

// Reads input spec.name of shape [rows, spec.dim]. A lone chunk is not copied;
// several are put together in scratch.
TRITONSERVER_Error* read_tensor(TRITONBACKEND_Request* request,
                                const TensorSpec& spec,
                                TRITONSERVER_DataType type,
                                const TensorLimits& limits,
                                std::vector<char>* scratch, Tensor* tensor);

// Copies a tensor of that many bytes to scratch where its elements lie
// unaligned.
void align(size_t alignment, size_t bytes, std::vector<char>* scratch,
           Tensor* tensor);

// Creates output name of shape [rows, width] in CPU memory.
TRITONSERVER_Error* new_output(TRITONBACKEND_Response* response,
                               const char* name, TRITONSERVER_DataType type,
                               int64_t rows, int64_t width, size_t bytes,
                               char** at);

}  // namespace skynet

#endif  // SKYNET_TRITON_TENSOR_H_
