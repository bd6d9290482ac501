// SPDX-License-Identifier: Apache-2.0

#include "memory.h"

#include <algorithm>

#include "naive.h"
#include "plan.h"

namespace skynet {
namespace {

constexpr size_t kStagedDefault = size_t{256} << 20;
constexpr size_t kScratchBudget = size_t{256} << 20;

template <class T>
T* take(Runtime& runtime, size_t count) {
  return static_cast<T*>(runtime.allocate(count * sizeof(T)));
}

// The most that a team of the portable kernel needs, however many blocks it
// has.
size_t team_scratch(const DeviceOptions& options) {
  size_t most = 0;
  for (int blocks = 1; blocks <= kMaxTeam; blocks *= 2) {
    const Plan plan = {Kernel::kPortable, blocks};
    Scratch team = {};
    team.grow(plan_layout(plan, LogitType::kF32, Mode::kArgmax, options.rows,
                          options.vocab));
    most = std::max(most, size_t{team.bytes(blocks)});
  }
  return most;
}

}  // namespace

bool Memory::reserve(Runtime& runtime, const DeviceOptions& options) {
  const size_t replies = static_cast<size_t>(options.replies);
  const size_t rows = static_cast<size_t>(options.rows);
  const size_t vocab = static_cast<size_t>(options.vocab);
  const size_t places = replies * rows * kTop;
  staged_bytes =
      options.staged_bytes > 0
          ? static_cast<size_t>(options.staged_bytes)
          : std::min(replies * rows * (vocab + 8) * 4, kStagedDefault);
  if (options.kernel == Kernel::kNaive) {
    scratch_bytes = naive_scratch(options.rows, options.vocab);
    scratch_count = options.replies;
  } else {
    scratch_bytes = team_scratch(options);
    scratch_count =
        static_cast<int>(std::min(replies, kScratchBudget / scratch_bytes + 1));
  }
  records = runtime.map(replies * sizeof(Record));
  top_id = runtime.map(places * sizeof(int32_t));
  top_logit = runtime.map(places * rows * sizeof(float));
  jobs = runtime.map(replies * sizeof(Job));
  staging = runtime.map(staged_bytes);
  device_jobs = take<Job>(runtime, replies);
  device_staging = take<char>(runtime, staged_bytes);
  candidates = take<Candidate>(runtime, places * kMaxTeam);
  ids = take<int32_t>(runtime, places);
  scratch =
      take<char>(runtime, scratch_bytes * static_cast<size_t>(scratch_count));
  for (const Mapped& m : {records, top_id, top_logit, jobs, staging}) {
    if (m.host == nullptr || m.device == nullptr) return false;
  }
  return device_jobs != nullptr && device_staging != nullptr &&
         candidates != nullptr && ids != nullptr && scratch != nullptr;
}

}  // namespace skynet
