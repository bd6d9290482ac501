// SPDX-License-Identifier: Apache-2.0
//
// The naive auction: P in float64 in device memory, one loop over the
// vocabulary per line of the contract, four launches. It is the yardstick the
// fused kernels are timed against and a second opinion on their answers;
// nothing is served by it.
#ifndef SKYNET_CUDA_NAIVE_H_
#define SKYNET_CUDA_NAIVE_H_

#include "draw.h"
#include "report.h"
#include "top.h"

namespace skynet {

// One block's view of one reply.
struct NaiveBlock {
  Control* control;  // device memory, kept from launch to launch
  double* p;         // device memory, [rows][vocab]
  char* partial;     // one partial result a warp
  LogitType type;
  int row;  // the first launch has one block a row

  SKYNET_CODE const Job& job() const { return control->job; }
  SKYNET_CODE int rows() const { return control->job.rows; }
  SKYNET_CODE int vocab() const { return control->job.vocab; }
  static constexpr int rank = 0;

  SKYNET_CODE double* probability(int k) const {
    return p + static_cast<int64_t>(k) * vocab();
  }
  SKYNET_CODE float logit(int k, int x) const {
    const int64_t at = k * job().row_stride + x;
    switch (type) {
      case LogitType::kF16:
        return F16::widen(static_cast<const uint16_t*>(job().logits)[at]);
      case LogitType::kBF16:
        return Bf16::widen(static_cast<const uint16_t*>(job().logits)[at]);
      default:
        return F32::widen(static_cast<const uint32_t*>(job().logits)[at]);
    }
  }
  // The blend without one row; -1 leaves none out.
  SKYNET_CODE double blend(int x, int without) const {
    double sum = 0.0;
    SKYNET_ROLLED
    for (int k = 0; k < rows(); ++k) {
      const Row& r = control->row[k];
      if (k != without && r.active) sum += r.weight * probability(k)[x];
    }
    return sum;
  }
  template <class T>
  SKYNET_CODE T& left_by(int warp) const {
    static_assert(sizeof(T) == kPartialBytes, "a warp leaves this much");
    return reinterpret_cast<T*>(partial)[warp];
  }
};

SKYNET_BOTH size_t naive_scratch(int rows, int vocab) {
  const size_t p = static_cast<size_t>(rows) * static_cast<size_t>(vocab);
  return round_up_16(sizeof(Control)) + (p + 1) / 2 * 2 * sizeof(double);
}

SKYNET_CODE NaiveBlock naive_block(char* memory, char* partial,
                                   LogitType type) {
  NaiveBlock b;
  b.control = reinterpret_cast<Control*>(memory);
  b.p = reinterpret_cast<double*>(memory + round_up_16(sizeof(Control)));
  b.partial = partial;
  b.type = type;
  b.row = 0;
  return b;
}

// join(value(x), ...) over the vocabulary, by all threads; `take(block,
// result)` gets it. Nothing joined to `none` changes it.
template <class Exec, class T, class Value, class Join, class Take>
SKYNET_CODE void fold(Exec& exec, const T& none, const Value& value,
                      const Join& join, const Take& take) {
  exec.reduce(
      [&](const auto& b, int thread) {
        T result = none;
        SKYNET_ROLLED
        for (int x = thread; x < b.vocab(); x += kThreads) {
          result = join(result, value(b, x));
        }
        return result;
      },
      join,
      [](const auto& b, int warp, const T& result) {
        b.template left_by<T>(warp) = result;
      });
  exec.single([&](const auto& b) {
    T result = b.template left_by<T>(0);
    SKYNET_ROLLED
    for (int w = 1; w < kWarps; ++w) {
      result = join(result, b.template left_by<T>(w));
    }
    take(b, result);
  });
}

SKYNET_CODE double most(double a, double b) {
  return a > b ? a : b;
}

// ---- Launch 1: one block a row -------------------------------------------
template <class Exec>
SKYNET_CODE void naive_row(Exec& exec) {
  fold(
      exec, Top{-INFINITY, INT32_MAX},
      [](const auto& b, int x) {
        if (!good_weight(b.job().weights[b.row])) return Top{0.0f, 0};
        const float z = b.logit(b.row, x);
        return Top{z < INFINITY ? z : INFINITY, x};
      },
      [](const Top& a, const Top& b) { return higher(a, b); },
      [](const auto& b, const Top& top) {
        const float weight = b.job().weights[b.row];
        Row& row = b.control->row[b.row];
        row.weight = static_cast<double>(weight);
        row.top = static_cast<double>(top.value);
        row.octet = top.octet;  // the token itself
        row.status = row_status(weight, row.top);
        row.active = row.valid() && weight > 0.0f;
      });
  if (!exec.read([](const auto& b) { return b.control->row[b.row].valid(); })) {
    return;
  }
  fold(
      exec, 0.0,
      [](const auto& b, int x) {
        const Row& row = b.control->row[b.row];
        const double e = exp_f64(b.logit(b.row, x), row.top, b.job().to_exp2);
        b.probability(b.row)[x] = e;
        return e;
      },
      [](double a, double b) { return a + b; },
      [](const auto& b, double z) { b.control->row[b.row].z = z; });
  exec.phase([](const auto& b, int thread) {
    SKYNET_ROLLED
    for (int x = thread; x < b.vocab(); x += kThreads) {
      b.probability(b.row)[x] /= b.control->row[b.row].z;
    }
  });
}

// ---- Launch 2: one block a reply, the token ------------------------------
// The lowest token whose running sum of probabilities exceeds u.
SKYNET_CODE int naive_draw(const NaiveBlock& b, int k, double u) {
  Search tokens = {u, 0.0, 0.0, 0};
  SKYNET_ROLLED
  for (int x = 0; x < b.vocab(); ++x) {
    if (tokens.add(x, b.probability(k)[x])) break;
  }
  return tokens.part;
}

template <class Exec>
SKYNET_CODE void naive_best(Exec& exec) {
  fold(
      exec, -1.0, [](const auto& b, int x) { return b.blend(x, -1); },
      [](double a, double b) { return most(a, b); },
      [](const auto& b, double best) { b.control->head.first = best; });
  fold(
      exec, static_cast<double>(INT32_MAX),
      [](const auto& b, int x) {
        const bool wins = b.blend(x, -1) >= least_winner(*b.control);
        return static_cast<double>(wins ? x : INT32_MAX);
      },
      [](double a, double b) { return -most(-a, -b); },
      [](const auto& b, double token) {
        b.control->head.token = static_cast<int32_t>(token);
        b.control->head.ref_token = b.control->row[0].octet;
      });
}

template <class Exec>
SKYNET_CODE void naive_token(Exec& exec) {
  exec.single([](const auto& b) { join_blend(*b.control, 0.0); });
  const Status status =
      exec.read([](const auto& b) { return b.control->blend.status; });
  if (status != Status::kOk) return;
  if (exec.read([](const auto& b) { return b.job().mode; }) == Mode::kSample) {
    exec.single([](const auto& b) {
      start_draw(*b.control);
      b.control->head.token =
          naive_draw(b, b.control->draw[0].row, b.control->u_token);
      b.control->head.ref_token = naive_draw(b, 0, b.control->u_token);
    });
  } else {
    naive_best(exec);
  }
  fold(
      exec, 0.0,
      [](const auto& b, int x) {
        return x == b.control->head.token ? 0.0 : b.blend(x, -1);
      },
      [](double a, double b) { return most(a, b); },
      [](const auto& b, double second) { b.control->head.second = second; });
  exec.for_rows([](const auto& b, int k) {
    const Control& c = *b.control;
    b.control->column[k] =
        c.row[k].valid() ? b.probability(k)[c.head.token] : 0.0;
  });
}

// ---- Launch 3: one block a reply, the prices -----------------------------
template <class Exec>
SKYNET_CODE void naive_price(Exec& exec, int k) {
  fold(
      exec, -1.0, [&](const auto& b, int x) { return b.blend(x, k); },
      [](double a, double b) { return most(a, b); },
      [&](const auto& b, double best) {
        Control& c = *b.control;
        c.peak[k].value = best;
        if (pays(c, k)) {
          c.pay[k] = clarke(best, c.rival[k], c.row[k].weight * c.column[k]);
        }
      });
  fold(
      exec, 0.0,
      [&](const auto& b, int x) {
        const Control& c = *b.control;
        if (c.pay[k] <= 0.0) return 0.0;
        const double spread =
            c.row[k].weight * (c.column[k] - b.probability(k)[x]);
        return bid_of(b.blend(x, k) - c.rival[k], spread).bid;
      },
      [](double a, double b) { return most(a, b); },
      [&](const auto& b, double bid) {
        b.control->bid[k].bid = bid < 1.0 ? bid : 1.0;
      });
}

// Row k's best tokens, one loop each, and all rows' logits there.
template <class Exec>
SKYNET_CODE void naive_top(Exec& exec, int k) {
  exec.single([&](const auto& b) { b.control->picked[k] = {INFINITY, -1}; });
  SKYNET_ROLLED
  for (int place = 0; place < kTop; ++place) {
    fold(
        exec, Top{-INFINITY, INT32_MAX},
        [&](const auto& b, int x) {
          const Candidate found = {b.logit(k, x), x};
          const bool left =
              b.control->row[k].valid() && before(b.control->picked[k], found);
          return left ? Top{found.logit, x} : Top{-INFINITY, INT32_MAX};
        },
        [](const Top& a, const Top& b) { return higher(a, b); },
        [&](const auto& b, const Top& top) {
          Control& c = *b.control;
          const bool known = top.value > -INFINITY;
          c.picked[k] = {top.value, known ? top.octet : -1};
          const int at = k * kTop + place;
          c.top.id[at] = c.picked[k].id;
          SKYNET_ROLLED
          for (int j = 0; j < b.rows(); ++j) {
            c.top.logit[j * b.rows() * kTop + at] =
                known && c.row[j].valid() ? b.logit(j, top.octet) : -INFINITY;
          }
        });
  }
}

template <class Exec>
SKYNET_CODE void naive_prices(Exec& exec) {
  const Status status =
      exec.read([](const auto& b) { return b.control->blend.status; });
  if (status == Status::kOk) {
    const bool sample =
        exec.read([](const auto& b) { return b.job().mode == Mode::kSample; });
    exec.for_rows([](const auto& b, int k) { start_price(*b.control, k); });
    exec.single([](const auto& b) { judge(*b.control); });
    SKYNET_ROLLED
    for (int k = 1; k < exec.rows() && !sample; ++k) naive_price(exec, k);
    if (sample) {
      exec.for_rows([](const auto& b, int k) {
        if (pays(*b.control, k)) price_drawn(*b.control, k);
      });
    }
    const bool top =
        exec.read([](const auto& b) { return b.job().want_top != 0; });
    SKYNET_ROLLED
    for (int k = 0; k < exec.rows() && top; ++k) naive_top(exec, k);
  }
  exec.report(true);
}

}  // namespace skynet

#endif  // SKYNET_CUDA_NAIVE_H_
