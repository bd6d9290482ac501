// SPDX-License-Identifier: Apache-2.0
//
// One Triton request: its inputs checked and made contiguous, its outputs
// written. Holds no logic of the auction.
#ifndef SKYNET_TRITON_REQUEST_H_
#define SKYNET_TRITON_REQUEST_H_

#include <algorithm>
#include <vector>

#include "../include/auction_contract.h"
#include "tensor.h"

namespace skynet {

// One request's buffers, reused between requests; a tensor in one CPU chunk is
// not copied.
struct Gather {
  std::vector<char> logits, weights, temperature, draw;
};

// One request's numbers. The top tables are filled, and cleared, only where
// the request asks for them: they are larger than all the rest.
struct Reply {
  AuctionInput input = {};
  ReplyResult result = {};
  RowResult rows[kMaxRows] = {};
  bool wants_top = false;
  bool on_device = false;  // LOGITS lie in the instance's GPU memory

  void clear() {
    input = {};
    result = {};
    std::fill_n(rows, kMaxRows, RowResult{});
    wants_top = on_device = false;
  }

  TopResult top() {
    return wants_top ? TopResult{top_id_, top_logit_} : TopResult{};
  }
  const int32_t* top_id(int row) const { return top_id_ + row * kTop; }
  const float* top_logit(int row) const {
    return top_logit_ + row * input.rows * kTop;
  }

 private:
  int32_t top_id_[kMaxRows * kTop];
  float top_logit_[kMaxRows * kMaxRows * kTop];
};

// Fills reply->input from the request's tensors, checking every shape. The
// pointers stay good until the request is released or gather is reused. LOGITS
// may lie in the memory of GPU `device`; nothing is copied then.
TRITONSERVER_Error* read_request(TRITONBACKEND_Request* request,
                                 TRITONSERVER_DataType logits_type,
                                 int64_t device, Gather* gather, Reply* reply);

// Creates the requested outputs, and only those, in the response.
TRITONSERVER_Error* write_response(TRITONBACKEND_Request* request,
                                   const Reply& reply,
                                   TRITONBACKEND_Response* response);

}  // namespace skynet

#endif  // SKYNET_TRITON_REQUEST_H_
