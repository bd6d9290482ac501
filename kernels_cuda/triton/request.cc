// SPDX-License-Identifier: Apache-2.0

#include "request.h"

#include <string.h>

#include <string>

#include "error.h"
#include "tensor.h"

namespace skynet {
namespace {

LogitType logit_type(TRITONSERVER_DataType type) {
  if (type == TRITONSERVER_TYPE_FP16) return LogitType::kF16;
  if (type == TRITONSERVER_TYPE_BF16) return LogitType::kBF16;
  return LogitType::kF32;
}

// A value of the whole reply is repeated on its rows.
TRITONSERVER_Error* repeated(const char* name, const Tensor& tensor,
                             int64_t rows, size_t row_bytes) {
  if (tensor.rows != rows) {
    return expected(name, std::to_string(rows) + " rows",
                    std::to_string(tensor.rows));
  }
  for (int64_t k = 1; k < rows; ++k) {
    if (memcmp(tensor.data, tensor.data + row_bytes * k, row_bytes) != 0) {
      return expected(name, "the same value on every row", "different values");
    }
  }
  return nullptr;
}

TRITONSERVER_Error* read_draw(const Tensor& tensor, AuctionInput* input) {
  uint64_t word[4];
  memcpy(word, tensor.data, sizeof word);
  if (word[0] > static_cast<uint64_t>(Mode::kSample)) {
    return expected("DRAW mode", "0 (argmax) or 1 (sample)",
                    std::to_string(word[0]));
  }
  input->mode = static_cast<Mode>(word[0]);
  input->draw = {word[1], word[2], word[3]};
  return nullptr;
}

struct Output {
  TRITONSERVER_DataType type;
  size_t bytes;  // of one element
  // Writes one row's values.
  void (*write)(const Reply& reply, int row, char* at);
};

// Elements a row of output `which` has in a reply of this many rows.
int64_t width_of(size_t which, int rows) {
  const int64_t dim = kOutputs[which].dim;
  return dim > 0 ? dim : static_cast<int64_t>(kTop) * rows;
}

template <typename T>
void put(char* at, T value) {
  memcpy(at, &value, sizeof value);
}

// In the order of kOutputs.
const Output kWriters[] = {
    {TRITONSERVER_TYPE_INT32, 4,
     [](const Reply& r, int, char* at) { put(at, r.result.token); }},
    {TRITONSERVER_TYPE_INT32, 4,
     [](const Reply& r, int, char* at) { put(at, r.result.ref_token); }},
    {TRITONSERVER_TYPE_FP64, 8,
     [](const Reply& r, int, char* at) { put(at, r.result.margin); }},
    {TRITONSERVER_TYPE_BOOL, 1,
     [](const Reply& r, int, char* at) { put(at, r.result.near_tie != 0); }},
    {TRITONSERVER_TYPE_FP64, 8,
     [](const Reply& r, int k, char* at) { put(at, r.rows[k].p_token); }},
    {TRITONSERVER_TYPE_FP64, 8,
     [](const Reply& r, int k, char* at) { put(at, r.rows[k].pay); }},
    {TRITONSERVER_TYPE_FP64, 8,
     [](const Reply& r, int k, char* at) { put(at, r.rows[k].critical_bid); }},
    {TRITONSERVER_TYPE_FP32, 4,
     [](const Reply& r, int k, char* at) { put(at, r.rows[k].w_minus); }},
    {TRITONSERVER_TYPE_INT32, 4,
     [](const Reply& r, int k, char* at) { put(at, r.rows[k].status); }},
    {TRITONSERVER_TYPE_FP64, 8,
     [](const Reply& r, int k, char* at) { put(at, r.rows[k].log_z); }},
    {TRITONSERVER_TYPE_INT32, 4,
     [](const Reply& r, int k, char* at) {
       memcpy(at, r.top_id(k), sizeof(int32_t) * kTop);
     }},
    {TRITONSERVER_TYPE_FP32, 4,
     [](const Reply& r, int k, char* at) {
       memcpy(at, r.top_logit(k), sizeof(float) * kTop * r.input.rows);
     }},
};
constexpr size_t kOutputCount = sizeof(kOutputs) / sizeof(kOutputs[0]);
static_assert(sizeof(kWriters) / sizeof(kWriters[0]) == kOutputCount,
              "one writer per output of the contract");

TRITONSERVER_Error* write_output(TRITONBACKEND_Response* response, size_t which,
                                 const Reply& reply) {
  const Output& writer = kWriters[which];
  const int rows = reply.input.rows;
  const int64_t width = width_of(which, rows);
  const size_t row_bytes = writer.bytes * static_cast<size_t>(width);
  char* at = nullptr;
  SKYNET_RETURN_IF_ERROR(new_output(response, kOutputs[which].name, writer.type,
                                    rows, width, row_bytes * rows, &at));
  for (int k = 0; k < rows; ++k) {
    writer.write(reply, k, at + row_bytes * k);
  }
  return nullptr;
}

TRITONSERVER_Error* find_top(TRITONBACKEND_Request* request, bool* wanted) {
  uint32_t count = 0;
  SKYNET_RETURN_IF_ERROR(TRITONBACKEND_RequestOutputCount(request, &count));
  *wanted = false;
  for (uint32_t i = 0; i < count; ++i) {
    const char* name = nullptr;
    SKYNET_RETURN_IF_ERROR(TRITONBACKEND_RequestOutputName(request, i, &name));
    *wanted |= strncmp(name, "TOP_", 4) == 0;
  }
  return nullptr;
}

}  // namespace

TRITONSERVER_Error* read_request(TRITONBACKEND_Request* request,
                                 TRITONSERVER_DataType logits_type,
                                 int64_t device, Gather* gather, Reply* reply) {
  Tensor logits = {}, weights = {}, temperature = {}, draw = {};
  SKYNET_RETURN_IF_ERROR(read_tensor(request, kInputs[0], logits_type,
                                     {kMaxRows, kMaxVocab, device},
                                     &gather->logits, &logits));
  const struct {
    TRITONSERVER_DataType type;
    std::vector<char>* scratch;
    Tensor* tensor;
  } small[] = {{TRITONSERVER_TYPE_FP32, &gather->weights, &weights},
               {TRITONSERVER_TYPE_FP32, &gather->temperature, &temperature},
               {TRITONSERVER_TYPE_UINT64, &gather->draw, &draw}};
  for (size_t i = 0; i < 3; ++i) {
    SKYNET_RETURN_IF_ERROR(read_tensor(request, kInputs[i + 1], small[i].type,
                                       {kMaxRows}, small[i].scratch,
                                       small[i].tensor));
  }
  reply->on_device = logits.on_device;
  if (weights.rows != logits.rows) {
    return expected("WEIGHT", std::to_string(logits.rows) + " rows",
                    std::to_string(weights.rows));
  }
  SKYNET_RETURN_IF_ERROR(repeated("TEMPERATURE", temperature, logits.rows, 4));
  SKYNET_RETURN_IF_ERROR(repeated("DRAW", draw, logits.rows, 32));
  align(alignof(float), sizeof(float) * weights.rows, &gather->weights,
        &weights);
  AuctionInput& input = reply->input;
  input.logits = logits.data;
  input.weights = reinterpret_cast<const float*>(weights.data);
  input.row_stride = logits.width;
  input.rows = static_cast<int32_t>(logits.rows);
  input.vocab = static_cast<int32_t>(logits.width);
  input.type = logit_type(logits_type);
  memcpy(&input.temperature, temperature.data, sizeof input.temperature);
  SKYNET_RETURN_IF_ERROR(read_draw(draw, &input));
  return find_top(request, &reply->wants_top);
}

TRITONSERVER_Error* write_response(TRITONBACKEND_Request* request,
                                   const Reply& reply,
                                   TRITONBACKEND_Response* response) {
  uint32_t count = 0;
  SKYNET_RETURN_IF_ERROR(TRITONBACKEND_RequestOutputCount(request, &count));
  for (uint32_t i = 0; i < count; ++i) {
    const char* name = nullptr;
    SKYNET_RETURN_IF_ERROR(TRITONBACKEND_RequestOutputName(request, i, &name));
    for (size_t which = 0; which < kOutputCount; ++which) {
      if (strcmp(name, kOutputs[which].name) != 0) continue;
      SKYNET_RETURN_IF_ERROR(write_output(response, which, reply));
    }
  }
  return nullptr;
}

}  // namespace skynet
