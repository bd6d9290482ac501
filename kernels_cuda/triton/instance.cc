// SPDX-License-Identifier: Apache-2.0

#include "instance.h"

#include <exception>
#include <string>

#include "../cpu/paths.h"
#include "error.h"
#include "exchange.h"

namespace skynet {
namespace {

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

void Job::start(TRITONBACKEND_Request* with) {
  request = with;
  error = nullptr;
  began_ns = now_ns();
  ready = false;
  reply.clear();
}

void Job::fail(TRITONSERVER_Error* with) {
  error = with;
  ready = false;
}

TRITONSERVER_Error* Instance::create(TRITONBACKEND_ModelInstance* handle,
                                     const Model& model,
                                     std::unique_ptr<Instance>* instance) {
  std::unique_ptr<Instance> made(new Instance(handle, model));
  SKYNET_RETURN_IF_ERROR(made->open_accelerator());
  *instance = std::move(made);
  return nullptr;
}

Instance::~Instance() {
  if (retirement_.joinable()) retirement_.join();
}

// A missing accelerator is not an error: the CPU serves, and says so once.
TRITONSERVER_Error* Instance::open_accelerator() {
  TRITONSERVER_InstanceGroupKind kind = TRITONSERVER_INSTANCEGROUPKIND_CPU;
  int32_t ordinal = 0;
  SKYNET_RETURN_IF_ERROR(TRITONBACKEND_ModelInstanceKind(handle_, &kind));
  SKYNET_RETURN_IF_ERROR(
      TRITONBACKEND_ModelInstanceDeviceId(handle_, &ordinal));
  const DeviceChoice choice = model_.config.device;
  const bool on_gpu = kind == TRITONSERVER_INSTANCEGROUPKIND_GPU;
  if (choice == DeviceChoice::kCpu) return nullptr;
  if (choice == DeviceChoice::kAuto && !on_gpu) return nullptr;
  std::string why;
  accelerator_ = Accelerator::open(choice, ordinal, &why);
  if (accelerator_ == nullptr) {
    warn("the auction runs on the CPU: " + why);
    return nullptr;
  }
  const std::string text = std::string("auction on ") + accelerator_->name();
  return TRITONSERVER_LogMessage(TRITONSERVER_LOG_INFO, __FILE__, __LINE__,
                                 text.c_str());
}

void Instance::execute(TRITONBACKEND_Request** requests, uint32_t count) {
  for (uint32_t first = 0; first < count; first += Accelerator::kBatch) {
    const uint32_t left = count - first;
    const uint32_t most = Accelerator::kBatch;
    run_batch(requests + first, static_cast<int>(left < most ? left : most));
  }
}

void Instance::run_batch(TRITONBACKEND_Request** requests, int count) {
  const uint64_t began = now_ns();
  while (jobs_.size() < static_cast<size_t>(count)) {
    jobs_.push_back(std::make_unique<Job>());
  }
  for (int i = 0; i < count; ++i) {
    jobs_[i]->start(requests[i]);
    read(jobs_[i].get());
  }
  const bool lost = accelerator_ != nullptr && !run_on_accelerator(count);
  uint64_t rows = 0;
  for (int i = 0; i < count; ++i) {
    Job* job = jobs_[i].get();
    if (job->ready) run_on_cpu(job);
    rows += job->reply.input.rows > 0 ? job->reply.input.rows : 1;
    answer(job, now_ns());
    if (!lost) release(requests[i]);
  }
  if (lost) {
    model_.metrics->add(kFailoverSeconds, seconds_since(began));
    retire_accelerator(requests, count);
  }
  const uint64_t end = now_ns();
  log_if(TRITONBACKEND_ModelInstanceReportBatchStatistics(handle_, rows, began,
                                                          began, end, end),
         "reporting a batch");
}

void Instance::read(Job* job) {
  if (cancelled(job->request)) {
    return job->fail(TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_CANCELLED,
                                           "the request was cancelled"));
  }
  const int64_t device =
      accelerator_ != nullptr ? accelerator_->ordinal() : kNoDevice;
  try {
    job->error = read_request(job->request, model_.config.logits_type, device,
                              &job->gather, &job->reply);
  } catch (const std::exception&) {  // a gather buffer could not grow
    job->error = refused(Status::kNoMemory, job->reply);
  }
  job->ready = job->error == nullptr;
}

bool Instance::run_on_accelerator(int count) {
  DeviceReply batch[Accelerator::kBatch] = {};
  Job* owner[Accelerator::kBatch];
  int filled = 0;
  for (int i = 0; i < count; ++i) {
    Job* job = jobs_[i].get();
    if (!job->ready) continue;
    Reply& reply = job->reply;
    owner[filled] = job;
    batch[filled++] = {reply.input,   !reply.on_device, 0,
                       &reply.result, reply.rows,       reply.top()};
  }
  if (filled == 0) return true;
  const uint64_t began = now_ns();
  const Status status =
      accelerator_->run(batch, filled, model_.config.device_timeout_us);
  model_.metrics->add(kDeviceSeconds, seconds_since(began));
  if (status == Status::kNoMemory) return true;  // the CPU does this batch
  if (status != Status::kOk) {
    model_.metrics->add(kFailovers, 1);
    warn(std::string("the auction goes on without its accelerator: ") +
         message(status));
    return false;
  }
  for (int i = 0; i < filled; ++i) {
    owner[i]->ready = false;
    const Status each = static_cast<Status>(batch[i].status);
    if (each != Status::kOk) owner[i]->fail(refused(each, owner[i]->reply));
  }
  model_.metrics->add(kDeviceTokens, filled);
  return true;
}

void Instance::run_on_cpu(Job* job) {
  Reply& reply = job->reply;
  job->ready = false;
  if (reply.on_device) {
    return job->fail(TRITONSERVER_ErrorNew(
        TRITONSERVER_ERROR_UNAVAILABLE,
        "the accelerator was lost with the logits of this token"));
  }
  const uint64_t began = now_ns();
  const TopResult top = reply.top();
  const Status status = run(reply.input, Path::kAuto, workspace_, &reply.result,
                            reply.rows, &top);
  model_.metrics->add(kCpuSeconds, seconds_since(began));
  if (status != Status::kOk) job->fail(refused(status, reply));
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

void Instance::answer(Job* job, uint64_t computed_ns) {
  if (job->error == nullptr) count_reply(job->reply);
  const bool success =
      respond({handle_, job->request, job->began_ns, computed_ns}, job->error,
              [job](TRITONBACKEND_Response* response) {
                return write_response(job->request, job->reply, response);
              });
  job->error = nullptr;
  if (!success) model_.metrics->add(kErrors, 1);
}

// Closing a device that hangs takes a while, and until then it may read the
// logits: the requests are released after, off this thread.
void Instance::retire_accelerator(TRITONBACKEND_Request** requests, int count) {
  retirement_ = std::thread([lost = std::move(accelerator_),
                             held = std::vector<TRITONBACKEND_Request*>(
                                 requests, requests + count)]() mutable {
    lost.reset();
    for (TRITONBACKEND_Request* request : held) release(request);
  });
}

}  // namespace skynet
