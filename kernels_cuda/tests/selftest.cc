// SPDX-License-Identifier: Apache-2.0
//
// Every path this processor has against the scalar twin, on buffers of exactly
// the right size that end at an unreadable page. Also built under ASan/UBSan.

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <memory>
#include <random>
#include <vector>

#include "../cpu/draw.h"
#include "../cpu/paths.h"

namespace {

using namespace skynet;

int failures = 0;

void expect(bool ok, const char* what, int64_t detail) {
  if (ok) return;
  ++failures;
  fprintf(stderr, "FAILED: %s (%lld)\n", what, static_cast<long long>(detail));
}

// Bytes whose end touches a page nothing may read.
class Guarded {
 public:
  explicit Guarded(size_t bytes) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t body = (bytes + page - 1) / page * page;
    size_ = body + page;
    base_ = static_cast<char*>(mmap(nullptr, size_, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (base_ == MAP_FAILED) abort();
    if (mprotect(base_ + body, page, PROT_NONE) != 0) abort();
    data_ = base_ + body - bytes;
  }
  ~Guarded() { munmap(base_, size_); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  char* data() { return data_; }

 private:
  char* base_;
  char* data_;
  size_t size_;
};

size_t width(LogitType type) {
  return type == LogitType::kF32 ? 4 : 2;
}

void fill(std::mt19937* random, LogitType type, int64_t count, char* out) {
  std::normal_distribution<float> normal(0.0f, 3.0f);
  std::uniform_int_distribution<int> bits(0, 0x3fff);
  for (int64_t i = 0; i < count; ++i) {
    if (type == LogitType::kF32) {
      const float value = normal(*random);
      memcpy(out + 4 * i, &value, 4);
    } else {  // finite halves of either sign and kind
      const uint16_t value =
          static_cast<uint16_t>(bits(*random) | ((*random)() & 1 ? 0x8000 : 0));
      memcpy(out + 2 * i, &value, 2);
    }
  }
}

bool close(double a, double b, double tolerance) {
  return fabs(a - b) <= tolerance;
}

// Audit outputs in buffers of exactly the right size.
struct Tops {
  std::vector<int32_t> id;
  std::vector<float> logit;
  TopResult out;

  explicit Tops(int rows)
      : id(rows * kTop),
        logit(rows * rows * kTop),
        out{id.data(), logit.data()} {}
};

void compare(const AuctionInput& in, Path path, Workspace* ws) {
  ReplyResult slow = {}, fast = {};
  RowResult slow_rows[kMaxRows] = {}, fast_rows[kMaxRows] = {};
  Tops slow_top(in.rows), fast_top(in.rows);
  expect(run(in, Path::kScalar, *ws, &slow, slow_rows, &slow_top.out) ==
             Status::kOk,
         "scalar status", in.vocab);
  expect(run(in, path, *ws, &fast, fast_rows, &fast_top.out) == Status::kOk,
         "status", in.vocab);
  expect(slow.token == fast.token, "token", in.vocab);
  expect(slow.ref_token == fast.ref_token, "ref_token", in.vocab);
  expect(slow.drawn_row == fast.drawn_row, "drawn_row", in.vocab);
  expect(close(slow.margin, fast.margin, 1e-7), "margin", in.vocab);
  expect(slow_top.id == fast_top.id, "top ids", in.vocab);
  expect(slow_top.logit == fast_top.logit, "top logits", in.vocab);
  for (int k = 0; k < in.rows; ++k) {
    const RowResult &a = slow_rows[k], &b = fast_rows[k];
    expect(a.status == b.status, "row status", k);
    expect(close(a.p_token, b.p_token, 1e-7), "p_token", k);
    expect(close(a.pay, b.pay, 1e-7), "pay", k);
    expect(close(a.critical_bid, b.critical_bid, 1e-6), "critical_bid", k);
    expect(close(a.log_z, b.log_z, 1e-7), "log_z", k);
    expect(a.w_minus == b.w_minus, "w_minus", k);
  }
}

void check_path(Path path) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> weight(0.0f, 2.0f);
  auto ws = std::make_unique<Workspace>();
  const int vocabs[] = {1, 2, 7, 63, 64, 65, 511, 1000, 50007};
  for (LogitType type : {LogitType::kF32, LogitType::kF16, LogitType::kBF16}) {
    for (int vocab : vocabs) {
      for (int rows : {1, 2, 5}) {
        const int64_t count = static_cast<int64_t>(rows) * vocab;
        Guarded guarded(width(type) * count);
        // The heap copy lets ASan see a single byte too far.
        std::vector<char> heap(width(type) * count);
        fill(&random, type, count, guarded.data());
        memcpy(heap.data(), guarded.data(), heap.size());
        float weights[kMaxRows];
        for (float& w : weights) w = weight(random);
        weights[0] = 1.0f;
        for (const void* logits : {static_cast<const void*>(guarded.data()),
                                   static_cast<const void*>(heap.data())}) {
          AuctionInput in = {logits, weights, vocab, rows,         vocab,
                             type,   0.7f,    {},    Mode::kArgmax};
          compare(in, path, ws.get());
          in.mode = Mode::kSample;
          in.draw = {random(), random(), random()};
          compare(in, path, ws.get());
        }
      }
    }
  }
}

void check_refusals() {
  const float logits[4] = {0.0f, 1.0f, NAN, 2.0f}, weights[2] = {1.0f, 1.0f};
  const float none[2] = {0.0f, 0.0f};
  Workspace ws;
  ReplyResult reply;
  RowResult rows[kMaxRows] = {};
  const AuctionInput good = {
      logits, weights, 2, 2, 2, LogitType::kF32, 1.0f, {}, Mode::kArgmax};
  const auto expect_status = [&](AuctionInput in, Status want,
                                 const char* what) {
    expect(run(in, Path::kAuto, ws, &reply, rows, nullptr) == want, what, 0);
  };
  AuctionInput in = good;
  in.rows = 0;
  expect_status(in, Status::kBadRows, "no rows");
  in.rows = 34;
  expect_status(in, Status::kBadRows, "34 rows");
  in = good;
  in.vocab = 0;
  expect_status(in, Status::kBadVocab, "no vocabulary");
  in = good;
  in.row_stride = 1;
  expect_status(in, Status::kBadVocab, "short stride");
  in = good;
  in.temperature = 0.0f;
  expect_status(in, Status::kBadTemperature, "T = 0");
  in = good;
  in.mode = static_cast<Mode>(2);
  expect_status(in, Status::kBadMode, "mode 2");
  in = good;
  in.weights = none;
  expect_status(in, Status::kNoWeight, "no weight");
  in = good;
  in.logits = logits + 1;
  in.rows = 1;
  expect_status(in, Status::kBadReference, "NaN reference");
  expect_status(good, Status::kOk, "NaN advertiser");
  expect(rows[1].status == RowStatus::kNotFinite, "NaN row status", 0);
}

// The published known answers of Random123, philox4x32 with 10 rounds.
void check_philox() {
  const struct {
    uint32_t key[2], in[4], out[4];
  } known[] = {
      {{0, 0}, {0, 0, 0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{~0u, ~0u},
       {~0u, ~0u, ~0u, ~0u},
       {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0xa4093822, 0x299f31d0},
       {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}};
  for (const auto& k : known) {
    uint32_t x[4];
    memcpy(x, k.in, sizeof x);
    philox(k.key, x);
    expect(memcmp(x, k.out, sizeof x) == 0, "philox", k.out[0]);
  }
}

}  // namespace

int main() {
  for (Path path : {Path::kAvx2, Path::kAvx512}) {
    Path resolved;
    if (resolve_path(path, &resolved)) {
      check_path(path);
    } else {
      printf("path %d: not on this processor, not run\n",
             static_cast<int>(path));
    }
  }
  check_refusals();
  check_philox();
  printf(failures == 0 ? "selftest: ok\n" : "selftest: FAILED\n");
  return failures == 0 ? 0 : 1;
}
