// SPDX-License-Identifier: Apache-2.0
//
// The accelerator path as a C library that is loaded at run time, so that the
// backend needs no CUDA where there is none. Two builds have the same entry
// points: libskynet_auction_cuda.so (nvcc) runs on a GPU;
// libskynet_auction_host.so runs the same kernel templates on the CPU, slowly,
// for tests.
//
// One engine belongs to one thread. It owns a stream, result records the host
// reads through mapped memory, and room for its largest batch: submit and wait
// allocate nothing.
#ifndef SKYNET_AUCTION_DEVICE_H_
#define SKYNET_AUCTION_DEVICE_H_

#include "../include/auction_contract.h"

namespace skynet {

struct DeviceOptions {
  int32_t device;   // CUDA ordinal
  int32_t replies;  // largest batch
  int32_t rows;     // largest R of one reply
  int32_t vocab;    // largest V
  int32_t reserved;
};

// One reply of a batch. Pointers stay valid until wait returns kOk or the
// engine is closed: the kernel reads logits in place.
struct DeviceReply {
  AuctionInput input;  // logits on the device or, with staged, on the host
  int32_t staged;      // 1: logits lie in host memory and are copied first
  int32_t status;      // out: Status of this reply
  ReplyResult* reply;  // out, host memory
  RowResult* rows;     // out, host memory, [input.rows]
  TopResult top;       // out, host memory; null pointers: not wanted
};

}  // namespace skynet

extern "C" {

// NULL on failure, with a sentence in error[error_size].
void* skynet_device_open(const skynet::DeviceOptions* options, char* error,
                         int32_t error_size);

// "NVIDIA H100 80GB HBM3, sm_90, cluster kernel"; never NULL.
const char* skynet_device_name(void* engine);

// Starts one batch and returns. weights, temperature, mode and draw are read
// before it returns. A Status; anything but kOk means nothing was started.
int32_t skynet_device_submit(void* engine, skynet::DeviceReply* replies,
                             int32_t count);

// Waits for the batch submitted last and fills its replies. kOk, kDeviceFailed
// or kDeviceTimeout; after the last two the engine can only be closed.
int32_t skynet_device_wait(void* engine, int64_t timeout_us);

// Never blocks for longer than a second, also when the device hangs.
void skynet_device_close(void* engine);

}  // extern "C"

#endif  // SKYNET_AUCTION_DEVICE_H_
