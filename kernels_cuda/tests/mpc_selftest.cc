// SPDX-License-Identifier: Apache-2.0
//
// Every path this processor has against the scalar twin, on buffers of exactly
// the right size, with numbers from plain to absurd. Also built under
// ASan/UBSan.

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <random>
#include <vector>

#include "../mpc/paths.h"

namespace {

using namespace skynet;
using namespace skynet::mpc;

int failures = 0;

void expect(bool ok, const char* what, int64_t row) {
  if (ok) return;
  ++failures;
  fprintf(stderr, "FAILED: %s (row %lld)\n", what, static_cast<long long>(row));
}

struct Data {
  std::vector<float> mixture, bid, weight;
  std::vector<double> control, decision;
  std::vector<Steps> steps;

  explicit Data(int n)
      : mixture(n * kMixture),
        bid(n),
        weight(n),
        control(n * kControl),
        decision(n * kDecision),
        steps(n) {}

  Batch batch() {
    return {mixture.data(),
            bid.data(),
            control.data(),
            weight.data(),
            decision.data(),
            steps.data(),
            static_cast<int32_t>(bid.size())};
  }
};

// One row in eight has a number that is NaN, infinite or out of range.
void fill(std::mt19937* random, Data* data) {
  const double odd[] = {NAN, INFINITY, -INFINITY, -1.0, 1e300, 0.0};
  std::uniform_real_distribution<double> unit(0.0, 1.0);
  std::normal_distribution<double> normal;
  const size_t rows = data->bid.size();
  for (size_t k = 0; k < rows; ++k) {
    float* m = &data->mixture[k * kMixture];
    double* c = &data->control[k * kControl];
    for (int i = 0; i < 4; i += 2) {
      m[i] = static_cast<float>(normal(*random));
      m[i + 1] = static_cast<float>(exp(6.0 * unit(*random) - 5.0));
    }
    m[4] = static_cast<float>(unit(*random));
    data->bid[k] = static_cast<float>(unit(*random));
    c[kControlled] = 1.0;
    c[kHorizon] = 1.0 + floor(8.0 * unit(*random));
    c[kLambdaRisk] = 0.5;
    c[kMomentum] = 2.0;
    c[kSigmaMax] = 1.0;
    c[kWMax] = 10.0 * unit(*random);
    c[kCostModel] = floor(2.0 * unit(*random));
    c[kReserve] = unit(*random);
    c[kBudgetLeft] = 100.0 * unit(*random);
    c[kTimeLeft] = 100.0 * unit(*random);
    c[kSpendRate] = unit(*random);
    c[kLeft] = floor(49.0 * unit(*random));
    for (int t = 0; t < 2 * kAdTokens; ++t) {
      c[kValues + t] = 5.0 * unit(*random);
    }
    if (k % 8 != 0) continue;
    const size_t at = static_cast<size_t>((kControl + 5) * unit(*random));
    const double value = odd[static_cast<size_t>(6.0 * unit(*random))];
    if (at < 5) {
      m[at] = static_cast<float>(value);
    } else {
      c[at - 5] = value;
    }
  }
}

void compare(const Data& ours, const Data& twin) {
  for (size_t k = 0; k < ours.bid.size(); ++k) {
    const double* a = &ours.decision[k * kDecision];
    const double* b = &twin.decision[k * kDecision];
    expect(fabs(a[kUtility] - b[kUtility]) <= 1e-9 * (1.0 + fabs(b[kUtility])),
           "utility", k);
    expect(memcmp(a + kPace, b + kPace, 5 * sizeof *a) == 0,
           "pace, sigma_eff, neg_cnt, abandon, plan_id", k);
    expect((a[kMethod] < 0) == (b[kMethod] < 0), "refusal", k);
    expect(ours.weight[k] >= 0.0f && isfinite(ours.weight[k]), "weight", k);
  }
}

void expect_bad_calls_refused(Data* data) {
  Batch batch = data->batch();
  batch.rows = -1;
  expect(decide(batch, Path::kAuto) == Status::kBadRows, "rows", -1);
  batch = data->batch();
  batch.control = nullptr;
  expect(decide(batch, Path::kAuto) == Status::kNullPointer, "null", -1);
  expect(decide(data->batch(), static_cast<Path>(9)) == Status::kBadPath,
         "path", -1);
}

}  // namespace

int main() {
  std::mt19937 random(1);
  for (int rows : {1, 3, 64, 1000}) {
    Data twin(rows);
    fill(&random, &twin);
    Data ours = twin;
    expect(decide(twin.batch(), Path::kScalar) == Status::kOk, "scalar", rows);
    for (Path path : {Path::kAvx2, Path::kAvx512}) {
      Path resolved;
      if (!resolve_path(path, &resolved)) continue;
      expect(decide(ours.batch(), path) == Status::kOk, "path", rows);
      compare(ours, twin);
    }
    expect_bad_calls_refused(&twin);
  }
  if (failures == 0) puts("mpc selftest: ok");
  return failures == 0 ? 0 : 1;
}
