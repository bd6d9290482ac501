// SPDX-License-Identifier: Apache-2.0
//
// How a contract header lists the tensors of its Triton model.
#ifndef SKYNET_TENSOR_SPEC_H_
#define SKYNET_TENSOR_SPEC_H_

#include <stdint.h>

namespace skynet {

struct TensorSpec {
  const char* name;
  const char* type;  // config.pbtxt spelling
  int64_t dim;       // of one row; -1: said by the request
};

}  // namespace skynet

#endif  // SKYNET_TENSOR_SPEC_H_
