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

// Which kernel serves. kAuto: the cluster kernel where the device has clusters
// and a reply fits one, else the portable one. The others are for tests and
// measurements.
enum class Kernel : int32_t {
  kAuto = 0,
  kNaive = 1,     // float64 throughout, four launches, the obvious way
  kPortable = 2,  // sm_80 and newer
  kCluster = 3,   // sm_90 and newer; a reply that does not fit: kNoMemory
};

struct DeviceOptions {
  int32_t device;   // CUDA ordinal
  int32_t replies;  // largest batch
  int32_t rows;     // largest R of one reply
  int32_t vocab;    // largest V
  Kernel kernel;
  int32_t reserved;      // 0
  int64_t staged_bytes;  // host logits one batch may bring; 0: as many as the
                         // largest batch of f32 has, at most 256 MiB
};

// One reply of a batch. Pointers stay valid until wait returns kOk or the
// engine is closed: the kernel reads logits in place. Logits on the device must
// be aligned to their element, and complete or ordered before
// skynet_device_stream when submit is called.
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

// The CUDA stream of the engine, for ordering and capture; NULL on the CPU.
void* skynet_device_stream(void* engine);

// Starts one batch and returns. weights, temperature, mode and draw, and staged
// logits, are read before it returns. A Status; anything but kOk means nothing
// was started: kNoMemory where the batch has no replies, more than the options
// say or more staged logits, or where the last one was not waited for;
// kDeviceFailed after an error. A reply that cannot be auctioned (its sizes,
// type, temperature, mode, pointers) gets its status and leaves the others be.
int32_t skynet_device_submit(void* engine, skynet::DeviceReply* replies,
                             int32_t count);

// Waits for the batch submitted last and fills its replies: reply, rows and top
// where status is kOk; where it is kBadReference only rows' statuses. kOk,
// kDeviceFailed or kDeviceTimeout; after the last two the engine can only be
// closed. Without a batch in flight: kOk.
int32_t skynet_device_wait(void* engine, int64_t timeout_us);

// Runs the batch `repeats` times; us[i] is what the i-th took, from submit to
// wait's return. kOk, or the first Status that was not.
int32_t skynet_device_measure(void* engine, skynet::DeviceReply* replies,
                              int32_t count, int32_t repeats, double* us);

// Never blocks for longer than a second, also when the device hangs.
void skynet_device_close(void* engine);

}  // extern "C"

#endif  // SKYNET_AUCTION_DEVICE_H_
